package main

import (
	"bytes"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	nats "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/clitest"
	"github.com/natsring/nats.go/internal/outagelab"
	"github.com/natsring/nats.go/internal/testserver/leaktest"
)

func TestMain(m *testing.M) { leaktest.VerifyTestMain(m) }

func TestScriptWithoutATerminal(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{modeDefault, modeAtLeastOnce} {
		file := filepath.Join(t.TempDir(), "plot.svg")
		status, r := clitest.Run(t, program(), "", "-mode", mode, "-rate", "2000", "-svg", file,
			"-script", "100ms cut; 150ms stop; 200ms start", "-for", "300ms")
		require.Zero(t, status, "%s%s", &r.Out, &r.Err)
		for _, says := range []string{"lab: cut", "lab: stop", "client: lost the server", "client: found the server", "waiting for the rest"} {
			assert.Contains(t, r.Out.String(), says)
		}
		assert.Regexp(t, `\naccepted +[1-9][0-9,]*\n  delivered +[1-9]`, r.Out.String())
		assert.NotContains(t, r.Out.String(), "\x1b")
		if mode == modeAtLeastOnce {
			assert.Regexp(t, `\n  lost +0\n`, r.Out.String())
		}
		svg, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, xml.Unmarshal(svg, new(struct{})))
		assert.Contains(t, string(svg), "mode "+mode)
	}
}

func TestBadUse(t *testing.T) {
	t.Parallel()
	clitest.Refuses(t, program, []clitest.BadUse{
		{Says: `unexpected argument "x"`, Args: []string{"x"}},
		{Says: "-mode twice", Args: []string{"-mode", "twice"}},
		{Says: "-rate 0", Args: []string{"-rate", "0"}},
		{Says: "-size 7", Args: []string{"-size", "7"}},
		{Says: "-buf-bytes 0", Args: []string{"-buf-bytes", "0"}},
		{Says: "-buf-msgs -1", Args: []string{"-buf-msgs", "-1"}},
		{Says: "-throttle 0", Args: []string{"-throttle", "0"}},
		{Says: "-for -1s", Args: []string{"-for", "-1s"}},
		{Says: "-script: no action", Args: []string{"-script", "1s dance"}},
		{Says: "nobody can press a key", Args: []string{"-plain"}},
		{Says: "must be reject, block", Args: []string{"-overflow", "x"}},
	})
	status, r := clitest.Run(t, program(), "")
	assert.Equal(t, 1, status, "there is no terminal")
	assert.Contains(t, r.Err.String(), "nobody can press a key")
}

func TestPlotThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	status, r := clitest.Run(t, program(), "", "-for", "10ms", "-svg", filepath.Join(t.TempDir(), "none", "x.svg"))
	assert.Equal(t, 1, status)
	assert.Contains(t, r.Err.String(), "no such file")
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	sample := func(lost, doubt int) outagelab.Sample {
		return outagelab.Sample{Counts: outagelab.Counts{Lost: lost}, State: outagelab.State{InDoubt: doubt}}
	}
	atLeastOnce, byDefault := &config{mode: modeAtLeastOnce}, &config{mode: modeDefault}
	assert.NoError(t, atLeastOnce.verdict(sample(0, 0)))
	assert.Error(t, atLeastOnce.verdict(sample(1, 9)))
	assert.NoError(t, byDefault.verdict(sample(9, 9)))
	assert.Error(t, byDefault.verdict(sample(10, 9)))
}

func TestKeys(t *testing.T) {
	t.Parallel()
	on := outagelab.Faults{BlackHole: true, Throttled: true, Refusing: true, Stopped: true}
	for key, want := range map[byte][2]outagelab.Action{
		'c': {outagelab.Cut, outagelab.Cut}, 'h': {outagelab.HalfClose, outagelab.HalfClose},
		'b': {outagelab.BlackHole, outagelab.NoBlackHole}, 't': {outagelab.Throttle, outagelab.NoThrottle},
		'r': {outagelab.Refuse, outagelab.NoRefuse}, 's': {outagelab.Stop, outagelab.Start},
	} {
		a, known := action(key, outagelab.Faults{})
		assert.True(t, known)
		assert.Equal(t, want[0], a)
		a, _ = action(key, on)
		assert.Equal(t, want[1], a)
	}
	_, known := action('x', on)
	assert.False(t, known)
}

func TestTypedKeys(t *testing.T) {
	t.Parallel()
	lab, err := outagelab.New(outagelab.Config{Rate: 100, Dial: outagelab.Ours()})
	require.NoError(t, err)
	defer lab.Close()
	j := &job{config: new(config), lab: lab, events: newEvents(), quit: make(chan struct{}, 2)}
	j.keys(strings.NewReader("x+sr"))
	assert.Equal(t, outagelab.Faults{Stopped: true, Refusing: true}, lab.Faults())
	assert.Equal(t, 151, lab.Rate())
	assert.Empty(t, j.quit)
	j.keys(strings.NewReader("sr-q\x03qqq"))
	assert.Equal(t, outagelab.Faults{}, lab.Faults())
	assert.Equal(t, 100, lab.Rate())
	assert.Len(t, j.quit, 2)
	j.keys(strings.NewReader(strings.Repeat("-", 100)))
	assert.Equal(t, 1, lab.Rate())
	j.keys(strings.NewReader(strings.Repeat("+", 100)))
	assert.Equal(t, maxRate, lab.Rate())
}

func testView() *view {
	return &view{
		Sample: outagelab.Sample{
			At:     12300 * time.Millisecond,
			Counts: outagelab.Counts{Accepted: 100_000, Delivered: 90_000, Lost: 7},
			State:  outagelab.State{Status: nats.RECONNECTING.String(), Msgs: 6000, Bytes: 600_000, Unconfirmed: 2000, UnconfirmedBytes: 200_000},
		},
		mode: modeAtLeastOnce, rate: 5000, bufBytes: 1_000_000, faults: outagelab.Faults{Stopped: true},
		events: []event{{9 * time.Second, "lab: stop"}}, accepted: []float64{0, 5000}, delivered: nil,
	}
}

func TestViewFitsEveryWidth(t *testing.T) {
	t.Parallel()
	v := testView()
	for wide := narrowest; wide <= 200; wide++ {
		lines := v.lines(wide)
		for _, line := range lines {
			require.LessOrEqual(t, utf8.RuneCountInString(line), wide, line)
		}
		text := strings.Join(lines, "\n")
		for _, word := range []string{"RECONNECTING", "5,000 messages/s", "100,000", "lost", "*s stop/start", "q quit", "lab: stop"} {
			require.Contains(t, text, word, "in %d columns", wide)
		}
	}
	assert.Equal(t, v.lines(narrowest), v.lines(1))
	assert.Less(t, len(v.lines(100)), 24, "it fits a small terminal")
}

func TestRing(t *testing.T) {
	t.Parallel()
	v := testView()
	assert.Equal(t, "[▒▒████····]", v.ring(12)[0])
	v.bufMsgs = 6000
	assert.Equal(t, "[▒▒▒▒██████]", v.ring(12)[0], "the limit in messages is nearer")
	v.Msgs, v.Bytes, v.Unconfirmed, v.UnconfirmedBytes = 1, 100, 0, 0
	assert.Equal(t, "[█·········]", v.ring(12)[0], "one message can be seen")
	v.Msgs, v.Bytes, v.Unconfirmed, v.UnconfirmedBytes = 3, 300, 2, 200
	assert.Equal(t, "[▒█········]", v.ring(12)[0])
	v.Bytes, v.Msgs = 5_000_000, 50_000
	assert.Equal(t, "[▒█████████]", v.ring(12)[0], "it may be more than full")
	v.Msgs, v.Bytes, v.Unconfirmed, v.UnconfirmedBytes = 0, 0, 0, 0
	assert.Equal(t, "[··········]", v.ring(12)[0])
}

func TestSparks(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "rate         8 ▁▅█", spark("rate", []float64{0, 4, 8}, 80))
	assert.Equal(t, "rate         0 ▁▁", spark("rate", []float64{0, 0}, 80))
	assert.Equal(t, "rate         3 █", spark("rate", []float64{9, 3}, 16), "what is in sight")
	assert.Equal(t, "rate         0 ", spark("rate", nil, 80))
}

func TestHistoryOfRates(t *testing.T) {
	t.Parallel()
	var h history
	for i := range 2 * keptRates {
		s := outagelab.Sample{At: time.Duration(i) * 100 * time.Millisecond}
		s.Accepted, s.Delivered = 10*i, 5*i
		h.add(s)
		h.add(s) // no time has passed
	}
	require.Len(t, h.accepted, keptRates)
	assert.InDelta(t, 100, h.accepted[7], 1e-6)
	assert.InDelta(t, 50, h.delivered[7], 1e-6)
}

func TestReport(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	report(&out, testView().Sample)
	assert.Contains(t, out.String(), "accepted                          100,000\n")
	assert.Contains(t, out.String(), "  lost                                  7\n")
}
