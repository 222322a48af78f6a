package nats

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Every option of later days sets its field and only that.
func TestOptionFieldsOfLaterDays(t *testing.T) {
	t.Parallel()
	on := true
	p := inProcess(func() (net.Conn, error) { return nil, nil })
	for name, c := range map[string]struct {
		opt  Option
		want Options
	}{
		"DrainTimeout":             {DrainTimeout(3), Options{DrainTimeout: 3}},
		"MultipathTCP":             {MultipathTCP(true), Options{AllowMultipathTCP: &on}},
		"PermissionErrOnSubscribe": {PermissionErrOnSubscribe(true), Options{PermissionErrOnSubscribe: true}},
		"ReconnectOnFlusherError":  {ReconnectOnFlusherError(), Options{ReconnectOnFlusherError: true}},
		"UseOldRequestStyle":       {UseOldRequestStyle(), Options{UseOldRequestStyle: true}},
		"WriteBufferSize":          {WriteBufferSize(3), Options{WriteBufferSize: 3}},
	} {
		var o Options
		require.NoError(t, c.opt(&o), name)
		require.Equal(t, c.want, o, name)
	}
	var o Options
	require.NoError(t, InProcessServer(p)(&o))
	require.NotNil(t, o.InProcessServer)
	called := false
	require.NoError(t, LameDuckModeHandler(func(*Conn) { called = true })(&o))
	o.LameDuckModeHandler(nil)
	require.True(t, called)
	require.NoError(t, ReconnectToServer(func([]Server, ServerInfo) (*Server, time.Duration) { return nil, 7 })(&o))
	_, d := o.ReconnectToServerCB(nil, ServerInfo{})
	require.EqualValues(t, 7, d)
	require.Equal(t, DefaultReconnectWait, DefaultOptions.ReconnectWait)
}

// Statistics can be read as fields of the connection.
func TestStatisticsAreFields(t *testing.T) {
	t.Parallel()
	_, nc := connect(t)
	s, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	require.NoError(t, nc.Publish("foo", []byte("12345")))
	_, err = s.NextMsg(patience)
	require.NoError(t, err)
	nc.Close()
	require.Equal(t, Statistics{InMsgs: 1, OutMsgs: 1, InBytes: 5, OutBytes: 5}, nc.Stats())
	require.Equal(t, nc.Stats(), nc.Statistics)
	require.EqualValues(t, 1, nc.InMsgs)
	require.EqualValues(t, 5, nc.OutBytes)
}

// The caller of a publish may use its data again at once.
func TestPublishedDataMayBeReused(t *testing.T) {
	t.Parallel()
	_, nc := connect(t)
	s, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	for _, size := range []int{10, 200_000} { // the second goes over several chunks
		data := []byte(strings.Repeat("a", size))
		require.NoError(t, nc.Publish("foo", data))
		for i := range data {
			data[i] = 'b'
		}
		m, err := s.NextMsg(patience)
		require.NoError(t, err)
		require.Equal(t, strings.Repeat("a", size), string(m.Data))
	}
}

// A negative queue length is no limit, and no panic.
func TestNegativeSyncQueueLen(t *testing.T) {
	t.Parallel()
	_, nc := connect(t, SyncQueueLen(-1))
	s, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	publishNumbers(t, nc, "foo", 0, 3)
	n, _, err := s.Pending()
	require.NoError(t, err)
	require.Equal(t, 3, n)
}

// testNames are the names of all tests of the root package and its neighbours.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	tests := make(map[string]bool)
	for _, pattern := range []string{"*_test.go", "*/*_test.go", "encoders/*/*_test.go", "examples/*/*_test.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, f := range files {
			text, err := os.ReadFile(f)
			require.NoError(t, err)
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(text, -1) {
				tests[string(m[1])] = true
			}
		}
	}
	return tests
}

// Every test that COMPATIBILITY.md names is there.
func TestCompatibilityNamesTests(t *testing.T) {
	t.Parallel()
	tests := testNames(t)
	text, err := os.ReadFile("COMPATIBILITY.md")
	require.NoError(t, err)
	named := regexp.MustCompile(`Test\w+`).FindAllString(string(text), -1)
	require.Greater(t, len(named), 150)
	for _, name := range named {
		require.True(t, tests[name], "no %s", name)
	}
}
