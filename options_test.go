package nats

import (
	"errors"
	"net"
	"reflect"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Compatibility 1.1.
func TestDefaultConstants(t *testing.T) {
	t.Parallel()
	require.Regexp(t, regexp.MustCompile(`^\d+\.\d+\.\d+(-.+)?$`), Version)
	require.Equal(t, "go", LangString)
	require.Equal(t, "nats://127.0.0.1:4222", DefaultURL)
	require.Equal(t, 4222, DefaultPort)
	require.Equal(t, 60, DefaultMaxReconnect)
	require.Equal(t, 2*time.Second, DefaultReconnectWait)
	require.Equal(t, 100*time.Millisecond, DefaultReconnectJitter)
	require.Equal(t, time.Second, DefaultReconnectJitterTLS)
	require.Equal(t, 2*time.Second, DefaultTimeout)
	require.Equal(t, 2*time.Minute, DefaultPingInterval)
	require.Equal(t, 2, DefaultMaxPingOut)
	require.Equal(t, 65536, DefaultMaxChanLen)
	require.Equal(t, 8388608, DefaultReconnectBufSize)
	require.Equal(t, 8, RequestChanLen)
	require.Equal(t, time.Minute, DefaultFlusherTimeout)
	require.Equal(t, "_INBOX.", InboxPrefix)
}

// Compatibility 1.5: exactly these fields are not zero.
func TestGetDefaultOptions(t *testing.T) {
	t.Parallel()
	want := map[string]any{
		"AllowReconnect": true, "MaxReconnect": 60, "ReconnectWait": 2 * time.Second,
		"ReconnectJitter": 100 * time.Millisecond, "ReconnectJitterTLS": time.Second, "Timeout": 2 * time.Second,
		"PingInterval": 2 * time.Minute, "MaxPingsOut": 2, "SubChanLen": 65536, "ReconnectBufSize": 8 << 20,
		"DrainTimeout": 30 * time.Second, "FlusherTimeout": time.Minute,
	}
	v := reflect.ValueOf(GetDefaultOptions())
	for i := range v.NumField() {
		name, field := v.Type().Field(i).Name, v.Field(i)
		if w, ok := want[name]; ok {
			assert.EqualValues(t, w, field.Interface(), name)
		} else {
			assert.True(t, field.IsZero(), "%s is %v", name, field)
		}
	}
}

// Compatibility 1.8: what zero means in a literal, and that the rest is left alone.
func TestOptionsZero(t *testing.T) {
	t.Parallel()
	o := Options{}.withDefaults()
	require.Equal(t, 2*time.Second, o.Timeout)
	require.Equal(t, 2, o.MaxPingsOut)
	require.Equal(t, 65536, o.SubChanLen)
	require.Equal(t, 8<<20, o.ReconnectBufSize)
	require.NotNil(t, o.AsyncErrorCB)
	require.False(t, o.AllowReconnect)
	require.Zero(t, o.MaxReconnect)
	require.Zero(t, o.PingInterval)
	require.Zero(t, o.FlusherTimeout)
	require.Zero(t, o.ReconnectWait)
	require.Zero(t, o.ReconnectJitter)
	require.Empty(t, o.InboxPrefix)

	o = Options{Timeout: -1, MaxPingsOut: -1, ReconnectBufSize: -1, SubChanLen: 1}.withDefaults()
	require.EqualValues(t, -1, o.Timeout)
	require.Equal(t, -1, o.MaxPingsOut)
	require.Equal(t, -1, o.ReconnectBufSize)
	require.Equal(t, 1, o.SubChanLen)
}

// A literal works: one connection, no reconnect, no pings.
func TestOptionsLiteral(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		cut := flapping(m, "10.0.0.0:4222")
		nc, err := Options{Url: "10.0.0.0", CustomDialer: m}.Connect()
		require.NoError(t, err)
		t.Cleanup(nc.Close)
		time.Sleep(24 * time.Hour)
		require.Equal(t, CONNECTED, nc.Status())
		require.NoError(t, nc.Flush())
		close(cut)
		<-nc.done
		require.Equal(t, CLOSED, nc.Status())
		require.Equal(t, "10.0.0.0@0s", m.log())
	})
}

// Every option sets its field and only that.
func TestOptionFields(t *testing.T) {
	t.Parallel()
	dialer, custom := &net.Dialer{}, failingDialer{}
	conn, connErr := ConnHandler(func(*Conn) {}), ConnErrHandler(func(*Conn, error) {})
	for name, c := range map[string]struct {
		opt  Option
		want Options
	}{
		"Name":                        {Name("n"), Options{Name: "n"}},
		"NoEcho":                      {NoEcho(), Options{NoEcho: true}},
		"DontRandomize":               {DontRandomize(), Options{NoRandomize: true}},
		"MaxReconnects":               {MaxReconnects(-5), Options{MaxReconnect: -5}},
		"ReconnectWait":               {ReconnectWait(3), Options{ReconnectWait: 3}},
		"ReconnectJitter":             {ReconnectJitter(3, 4), Options{ReconnectJitter: 3, ReconnectJitterTLS: 4}},
		"ReconnectBufSize":            {ReconnectBufSize(-1), Options{ReconnectBufSize: -1}},
		"Timeout":                     {Timeout(3), Options{Timeout: 3}},
		"FlusherTimeout":              {FlusherTimeout(3), Options{FlusherTimeout: 3}},
		"PingInterval":                {PingInterval(3), Options{PingInterval: 3}},
		"MaxPingsOutstanding":         {MaxPingsOutstanding(-1), Options{MaxPingsOut: -1}},
		"SyncQueueLen":                {SyncQueueLen(3), Options{SubChanLen: 3}},
		"UserInfo":                    {UserInfo("u", "p"), Options{User: "u", Password: "p"}},
		"Token":                       {Token("t"), Options{Token: "t"}},
		"Dialer":                      {Dialer(dialer), Options{Dialer: dialer}},
		"SetCustomDialer":             {SetCustomDialer(custom), Options{CustomDialer: custom}},
		"RetryOnFailedConnect":        {RetryOnFailedConnect(true), Options{RetryOnFailedConnect: true}},
		"NoCallbacksAfterClientClose": {NoCallbacksAfterClientClose(), Options{NoCallbacksAfterClientClose: true}},
		"IgnoreAuthErrorAbort":        {IgnoreAuthErrorAbort(), Options{IgnoreAuthErrorAbort: true}},
		"SkipHostLookup":              {SkipHostLookup(), Options{SkipHostLookup: true}},
		"SkipSubjectValidation":       {SkipSubjectValidation(), Options{SkipSubjectValidation: true}},
		"IgnoreDiscoveredServers":     {IgnoreDiscoveredServers(), Options{IgnoreDiscoveredServers: true}},
		"CustomInboxPrefix":           {CustomInboxPrefix("a.b"), Options{InboxPrefix: "a.b"}},
	} {
		var o Options
		require.NoError(t, c.opt(&o), name)
		assert.Equal(t, c.want, o, name)
	}
	o := GetDefaultOptions()
	require.NoError(t, NoReconnect()(&o))
	require.False(t, o.AllowReconnect)
	o.RetryOnFailedConnect = true
	require.NoError(t, RetryOnFailedConnect(false)(&o))
	require.False(t, o.RetryOnFailedConnect)

	for name, opt := range map[string]Option{
		"ConnectedCB": ConnectHandler(conn), "ReconnectedCB": ReconnectHandler(conn), "ClosedCB": ClosedHandler(conn),
		"DisconnectedCB": DisconnectHandler(conn), "DisconnectedErrCB": DisconnectErrHandler(connErr),
		"ReconnectErrCB": ReconnectErrHandler(connErr), "DiscoveredServersCB": DiscoveredServersHandler(conn),
		"AsyncErrorCB":           ErrorHandler(func(*Conn, *Subscription, error) {}),
		"CustomReconnectDelayCB": CustomReconnectDelay(func(int) time.Duration { return 0 }),
		"TokenHandler":           TokenHandler(func() string { return "" }),
	} {
		var o Options
		require.NoError(t, opt(&o), name)
		v := reflect.ValueOf(o)
		for i := range v.NumField() {
			assert.Equal(t, v.Type().Field(i).Name != name, v.Field(i).IsZero(), "%s sets %s", name, v.Type().Field(i).Name)
		}
	}
}

// Compatibility 1.9.
func TestOptionErrors(t *testing.T) {
	t.Parallel()
	handler := TokenHandler(func() string { return "" })
	for name, c := range map[string]struct {
		opts []Option
		want error
	}{
		"token after handler":       {[]Option{handler, Token("t")}, ErrTokenAlreadySet},
		"empty token after handler": {[]Option{handler, Token("")}, ErrTokenAlreadySet},
		"handler after token":       {[]Option{Token("t"), handler}, ErrTokenAlreadySet},
		"handler after empty token": {[]Option{Token(""), handler}, nil},
		"two tokens":                {[]Option{Token("t"), Token("u")}, nil},
		"two handlers":              {[]Option{handler, handler}, nil},
	} {
		var o Options
		var err error
		for _, set := range c.opts {
			if err = set(&o); err != nil {
				break
			}
		}
		assert.Equal(t, c.want, err, name)
	}
	for _, bad := range []string{"", ">", "a.>", "*", "a.*.b", "a.", "a b", "a\tb", "a\r\n"} {
		var o Options
		assert.EqualError(t, CustomInboxPrefix(bad)(&o), "nats: invalid custom prefix", "%q", bad)
		assert.Empty(t, o.InboxPrefix)
	}
}

// Compatibility 1.6: in order, nil skipped, the first error ends it before there
// is any network.
func TestConnectAppliesOptions(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	d := &dialLog{}
	applied := 0
	count := func(*Options) error { applied++; return nil }
	nc, err := Connect("10.0.0.0", SetCustomDialer(d), nil, count, func(*Options) error { return boom }, count)
	require.Nil(t, nc)
	require.True(t, err == boom, "%v", err)
	require.Equal(t, 1, applied)
	require.Empty(t, d.seen())

	_, err = Connect("10.0.0.0", SetCustomDialer(d), Name("a"), nil, func(o *Options) error {
		require.Equal(t, "a", o.Name)
		require.Equal(t, []string{"10.0.0.0"}, o.Servers)
		require.Equal(t, DefaultTimeout, o.Timeout)
		o.Servers = append(o.Servers, "10.0.0.1:77")
		return nil
	}, DontRandomize())
	require.Error(t, err)
	require.Equal(t, []string{"tcp 10.0.0.0:4222", "tcp 10.0.0.1:77"}, d.seen())

	d = &dialLog{}
	_, err = Connect("foo://10.0.0.0", SetCustomDialer(d), RetryOnFailedConnect(true))
	require.Error(t, err, "a bad URL is not retried")
	require.Empty(t, d.seen())

	d = &dialLog{}
	_, err = Connect("", SetCustomDialer(d))
	require.Error(t, err)
	require.Equal(t, []string{"tcp 127.0.0.1:4222"}, d.seen())
}

// Compatibility 1.6 and 1.7: a connection has its own copy, in nc.Opts.
func TestOptionsAreCopied(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		flapping(m, "10.0.0.0:4222")
		o := GetDefaultOptions()
		o.Url, o.CustomDialer, o.Name = "10.0.0.0", m, "mine"
		o.MaxPingsOut, o.Timeout = 0, 0
		nc, err := o.Connect()
		require.NoError(t, err)
		t.Cleanup(nc.Close)
		o.Name = "other"
		require.Equal(t, "mine", nc.Opts.Name)
		require.Equal(t, 2, nc.Opts.MaxPingsOut)
		require.Equal(t, 2*time.Second, nc.Opts.Timeout)
		require.NotNil(t, nc.Opts.AsyncErrorCB)
		require.Zero(t, o.MaxPingsOut)
		require.Nil(t, o.AsyncErrorCB)
	})
}

// Compatibility 1.8: without a dialer each connection gets one of its own.
func TestOptionsDialerOfConnection(t *testing.T) {
	t.Parallel()
	s := welcoming(t)
	one, two := connectTo(t, s.url(), Timeout(7*time.Second)), connectTo(t, s.url())
	require.NotNil(t, one.Opts.Dialer)
	require.NotNil(t, two.Opts.Dialer)
	require.NotSame(t, one.Opts.Dialer, two.Opts.Dialer)
	require.Equal(t, 7*time.Second, one.Opts.Dialer.Timeout)
	require.Equal(t, patience, two.Opts.Dialer.Timeout, "of connectTo")

	mine := &net.Dialer{Timeout: patience}
	require.Same(t, mine, connectTo(t, s.url(), Dialer(mine)).Opts.Dialer)
}
