package nats

import (
	"fmt"
	"slices"
	"strings"
)

// lifeAction is one thing that the program, the server or time does.
type lifeAction string

const (
	actPublish   lifeAction = "publish"
	actFlush     lifeAction = "flush"
	actRequest   lifeAction = "request"
	actSubscribe lifeAction = "subscribe"
	actWork      lifeAction = "work" // the handlers finish what is pending
	actDrainSub  lifeAction = "drain subscription"
	actDrain     lifeAction = "drain"
	actShutdown  lifeAction = "shutdown"
	actForce     lifeAction = "force reconnect"
	actClose     lifeAction = "close"

	actMessage lifeAction = "message" // one for each subscription that the server knows
	actQuiet   lifeAction = "quiet"   // the server answers nothing more, or again
	actCut     lifeAction = "cut"     // the connection breaks
	actUp      lifeAction = "up"      // and these four say how connections are met from now on
	actDown    lifeAction = "down"
	actRefuse  lifeAction = "refuse"
	actMute    lifeAction = "mute"

	actWait lifeAction = "wait" // as long as the pause of the reconnect loop
)

var (
	programActions = []lifeAction{actPublish, actFlush, actRequest, actSubscribe, actWork,
		actDrainSub, actDrain, actShutdown, actForce, actClose}
	worldActions = []lifeAction{actMessage, actQuiet, actCut, actUp, actDown, actRefuse, actMute, actWait}
	lifeActions  = slices.Concat(programActions, worldActions)
)

// lifeConfig is a kind of connection that the model knows.
type lifeConfig struct {
	name        string
	begin       lifeAction // how the server meets the first connect: up or down
	keep        bool       // AtLeastOnce
	noReconnect bool
	tries       int // MaxReconnects
}

type lifePhase string

const (
	lifeConnected lifePhase = "connected"
	lifePausing   lifePhase = "pausing" // between two attempts
	lifeShaking   lifePhase = "shaking" // in a handshake that the server lets wait
	lifeClosed    lifePhase = "closed"
)

// lifeStage is how far the drain of a connection has come.
type lifeStage int

const (
	stageNone lifeStage = iota
	stageSubs           // subscriptions work on what they have
	stageMux            // then that of the requests ends
	stagePubs           // nothing more is taken; the last flush
)

// endStage is how far the drain of a subscription has come.
type endStage int

const (
	endNone  endStage = iota
	endAsked          // the server was told
	endLast           // nothing more will come
	endOver
)

type modelSub struct {
	end     endStage
	known   bool // to the server of this session
	pending int
	handled int
	told    bool // its closed handler was called
}

// lifeCall is a call of the program's and what became of it.
type lifeCall struct {
	what   lifeAction
	result string // waits, nil, or the error
	early  bool   // a flush that began without a session
	covers []string
}

const waits = "waits"

// lifeModel says what a connection does, a second time and more simply: one thing
// after the other, without locks, bytes or goroutines.
type lifeModel struct {
	cfg   lifeConfig
	mode  lifeAction
	quiet bool

	phase   lifePhase
	greeted bool
	tries   int  // since there was a server
	refused bool // the last attempt was
	drain   drainMode
	stage   lifeStage

	held     []string // published and not sent
	unproven []string // sent, and not behind a PONG
	asked    int      // how many of them are in front of a PING
	replies  []string // the server has them for this session
	mux      endStage // of the subscription of the requests
	muxMade  bool
	muxKnown bool
	subs     []*modelSub

	calls       []*lifeCall
	events      []string
	server      []string // the messages that it got
	undelivered []string
	doubt       int
	doubtBefore int // a shutdown
}

func newLifeModel(cfg lifeConfig) *lifeModel {
	m := &lifeModel{cfg: cfg, mode: cfg.begin, phase: lifePausing}
	if m.mode == actUp {
		m.session()
	} else {
		m.events = []string{"no dial"}
	}
	return m
}

// enabled bounds the model: what would only make a queue longer is left out.
func (m *lifeModel) enabled(a lifeAction) bool {
	few := len(m.held)+len(m.unproven) < 2 && m.waiting(actRequest) < 2
	switch a {
	case actPublish:
		return few
	case actRequest:
		return few && m.waiting(actRequest) < 2
	case actFlush:
		// One behind the last of a drain may be answered or be ended by the close.
		behind := m.stage == stagePubs && m.phase == lifeConnected
		return !behind && m.waiting(actFlush) < 2
	case actSubscribe:
		return m.count(func(s *modelSub) bool { return s.end != endOver }) < 2
	case actWork:
		return m.count(func(s *modelSub) bool { return s.pending > 0 }) > 0
	case actDrainSub:
		return m.first() != nil
	case actShutdown:
		return m.drain == notDraining
	case actMessage:
		return m.phase == lifeConnected && m.count(func(s *modelSub) bool { return s.known }) > 0 &&
			m.count(func(s *modelSub) bool { return s.pending > 1 }) == 0
	case actCut:
		return m.phase == lifeConnected || m.phase == lifeShaking
	case actUp, actDown, actRefuse, actMute:
		return m.mode != a
	case actWait:
		return m.phase == lifePausing
	}
	return true
}

func (m *lifeModel) count(which func(*modelSub) bool) (n int) {
	for _, s := range m.subs {
		if which(s) {
			n++
		}
	}
	return n
}

// first is the subscription that is drained next.
func (m *lifeModel) first() *modelSub {
	i := slices.IndexFunc(m.subs, func(s *modelSub) bool { return s.end == endNone })
	if i < 0 {
		return nil
	}
	return m.subs[i]
}

func (m *lifeModel) waiting(what lifeAction) (n int) {
	for _, c := range m.calls {
		if c.what == what && c.result == waits {
			n++
		}
	}
	return n
}

// do is one action and all that follows from it.
func (m *lifeModel) do(a lifeAction) {
	if slices.Contains(programActions, a) && a != actWork {
		m.calls = append(m.calls, &lifeCall{what: a})
		m.call(m.calls[len(m.calls)-1])
	} else {
		m.happen(a)
	}
	m.settle()
}

func (m *lifeModel) call(c *lifeCall) {
	c.result = "nil"
	switch c.what {
	case actPublish:
		c.result = m.accept(m.newID("m"))
	case actRequest:
		m.request(c)
	case actFlush:
		m.flush(c)
	case actSubscribe:
		if c.result = m.takesSubs(); c.result == "nil" {
			m.subs = append(m.subs, &modelSub{known: m.phase == lifeConnected})
		}
	case actDrainSub:
		m.endSoon(m.first())
	case actDrain, actShutdown:
		m.startDrain(c)
	case actForce:
		m.force(c)
	case actClose:
		m.finish()
	}
}

// newID names the message of the present call.
func (m *lifeModel) newID(kind string) string { return fmt.Sprint(kind, len(m.calls)-1) }

func (m *lifeModel) takesSubs() string {
	switch {
	case m.phase == lifeClosed:
		return ErrConnectionClosed.Error()
	case m.drain != notDraining:
		return ErrConnectionDraining.Error()
	}
	return "nil"
}

// accept takes a message, or says why not.
func (m *lifeModel) accept(id string) string {
	switch {
	case m.phase == lifeClosed:
		return ErrConnectionClosed.Error()
	case m.stage == stagePubs:
		return ErrConnectionDraining.Error()
	case m.phase == lifeConnected:
		m.send(id)
	default:
		m.held = append(m.held, id)
	}
	return "nil"
}

func (m *lifeModel) send(id string) {
	m.server = append(m.server, id)
	m.unproven = append(m.unproven, id)
	if id[0] == 'r' && m.muxKnown {
		m.replies = append(m.replies, id)
	}
}

func (m *lifeModel) request(c *lifeCall) {
	if !m.muxMade {
		if c.result = m.takesSubs(); c.result != "nil" {
			return
		}
		m.muxMade, m.muxKnown = true, m.phase == lifeConnected
	}
	if c.result = m.accept(m.newID("r")); c.result == "nil" {
		c.result = waits
	}
}

func (m *lifeModel) flush(c *lifeCall) {
	switch c.result = waits; m.phase {
	case lifeClosed:
		c.result = ErrConnectionClosed.Error()
	case lifeConnected:
		m.ping()
	default:
		c.early, c.covers = true, slices.Clone(m.held)
	}
}

func (m *lifeModel) ping() { m.asked = len(m.unproven) }

// endSoon begins to drain a subscription.
func (m *lifeModel) endSoon(s *modelSub) {
	s.known = false
	if m.phase != lifeConnected {
		s.end = endLast
		return
	}
	s.end = endAsked
	m.ping()
}

func (m *lifeModel) startDrain(c *lifeCall) {
	switch {
	case m.phase == lifeClosed:
		c.result = ErrConnectionClosed.Error()
		return
	case m.drain != notDraining:
		return
	case c.what == actDrain && m.phase != lifeConnected:
		c.result = ErrConnectionReconnecting.Error()
		m.finish()
		return
	}
	m.drain, m.stage = drainOrClose, stageSubs
	if c.what == actShutdown {
		c.result, m.drain, m.doubtBefore = waits, drainOutlasts, m.doubt
	}
	for s := m.first(); s != nil; s = m.first() {
		m.endSoon(s)
	}
}

func (m *lifeModel) force(c *lifeCall) {
	switch {
	case m.phase == lifeClosed:
		c.result = ErrConnectionClosed.Error()
	case m.drain != notDraining:
		c.result = ErrConnectionDraining.Error()
	case m.phase == lifePausing:
		m.attempt()
	case m.phase == lifeConnected:
		m.interrupt()
		m.lose()
		m.attempt()
	}
}

// interrupt ends the requests that wait; those that are kept are not sent again.
func (m *lifeModel) interrupt() {
	m.endCalls(actRequest)
	over := func(id string) bool { return id[0] == 'r' }
	if m.cfg.keep {
		m.unproven = slices.DeleteFunc(m.unproven, over)
	}
}

func (m *lifeModel) endCalls(what lifeAction) {
	for _, c := range m.calls {
		if c.what == what && c.result == waits {
			c.result = ErrConnectionClosed.Error()
		}
	}
}

// happen is what the program does not do.
func (m *lifeModel) happen(a lifeAction) {
	switch a {
	case actWork:
		for _, s := range m.subs {
			m.work(s)
		}
	case actMessage:
		for _, s := range m.subs {
			if s.known {
				s.pending++
			}
		}
	case actQuiet:
		m.quiet = !m.quiet
	case actCut:
		m.broken()
	case actWait:
		m.attempt()
	case actUp:
		if m.mode = actUp; m.phase == lifeShaking {
			m.session()
		}
	default:
		m.mode = a
		m.broken()
	}
}

func (m *lifeModel) work(s *modelSub) {
	if s.end == endOver {
		s.pending = min(s.pending, 1) // the rest was thrown away
	}
	s.handled += s.pending
	s.pending = 0
}

// broken is the end of a connection that the program did not ask for.
func (m *lifeModel) broken() {
	switch {
	case m.phase == lifeShaking:
		m.failed("error")
	case m.phase == lifeConnected && (m.cfg.noReconnect || m.drain == drainOrClose):
		m.finish()
	case m.phase == lifeConnected:
		m.lose()
	}
}

// lose is the end of a session that another one is to follow.
func (m *lifeModel) lose() {
	m.phase = lifePausing
	m.events = append(m.events, "disconnect")
	for _, c := range m.calls {
		if c.what == actFlush && c.result == waits && !m.survives(c) {
			c.result = ErrConnectionClosed.Error()
		}
	}
	m.settleSession()
	for _, s := range m.subs {
		s.known = false
		if s.end == endAsked {
			s.end = endLast
		}
	}
	if m.mux == endAsked {
		m.mux = endOver
	}
}

// survives says whether a flush goes on beyond the session.
func (m *lifeModel) survives(c *lifeCall) bool {
	inDoubt := func(id string) bool { return slices.Contains(m.unproven, id) }
	return m.cfg.keep || c.early && !slices.ContainsFunc(c.covers, inDoubt)
}

// settleSession settles the account of a session.
func (m *lifeModel) settleSession() {
	if m.cfg.keep {
		m.held = append(m.unproven, m.held...)
	} else {
		m.doubt += len(m.unproven)
	}
	m.unproven, m.asked, m.replies, m.muxKnown = nil, 0, nil, false
}

func (m *lifeModel) attempt() {
	m.tries++
	switch m.mode {
	case actUp:
		m.session()
	case actMute:
		m.phase = lifeShaking
	case actDown:
		m.failed("no dial")
	case actRefuse:
		again := m.refused
		m.refused = true
		if m.failed("error"); again {
			m.finish()
		}
	}
}

// failed is the end of an attempt. Before there was a server only dials are told.
func (m *lifeModel) failed(event string) {
	if m.greeted || event == "no dial" {
		m.events = append(m.events, event)
	}
	m.phase = lifePausing
	if m.cfg.tries >= 0 && m.tries >= m.cfg.tries {
		m.finish()
	}
}

// session is a server again, or for the first time.
func (m *lifeModel) session() {
	m.phase, m.tries, m.refused = lifeConnected, 0, false
	event := "reconnect"
	if !m.greeted {
		event, m.greeted = "connect", true
	}
	m.events = append(m.events, event)
	for _, s := range m.subs {
		s.known = s.end == endNone
	}
	m.muxKnown = m.muxMade && m.mux == endNone
	held := m.held
	m.held = nil
	for _, id := range held {
		m.send(id)
	}
	if m.waiting(actFlush) > 0 || m.stage == stagePubs {
		m.ping()
	}
}

// settle does what follows by itself.
func (m *lifeModel) settle() {
	for before := ""; before != m.state(); {
		before = m.state()
		if m.cfg.keep {
			m.ping()
		}
		if m.phase == lifeConnected && !m.quiet {
			m.answers()
		}
		for _, s := range m.subs {
			if s.end == endLast && s.pending == 0 {
				s.end = endOver
			}
			s.told = s.told || s.end == endOver && s.pending == 0
		}
		m.drainOn()
	}
}

// answers is what the server says once it speaks.
func (m *lifeModel) answers() {
	for _, id := range m.replies {
		var n int
		_, _ = fmt.Sscanf(id, "r%d", &n)
		if m.calls[n].result == waits {
			m.calls[n].result = "nil"
		}
	}
	m.replies = nil
	m.unproven, m.asked = slices.Clone(m.unproven[m.asked:]), 0
	for _, c := range m.calls {
		if c.what == actFlush && c.result == waits {
			c.result = "nil"
		}
	}
	for _, s := range m.subs {
		if s.end == endAsked {
			s.end = endLast
		}
	}
	if m.mux == endAsked {
		m.mux = endOver
	}
}

// drainOn takes the drain of the connection a step further if it is time.
func (m *lifeModel) drainOn() {
	on := m.phase == lifeConnected
	switch {
	case m.stage == stageSubs && m.count(func(s *modelSub) bool { return s.end != endOver }) == 0:
		m.stage = stageMux
		if m.muxMade {
			m.muxKnown, m.mux = false, endOver
			if on {
				m.mux = endAsked
				m.ping()
			}
		}
	case m.stage == stageMux && (!m.muxMade || m.mux == endOver):
		m.stage = stagePubs
		m.ping()
	case m.stage == stagePubs && on && !m.quiet:
		for _, c := range m.calls {
			if c.what == actShutdown && c.result == waits && m.doubt == m.doubtBefore {
				c.result = "nil"
			}
		}
		m.finish()
	}
}

// finish is the end.
func (m *lifeModel) finish() {
	if m.phase == lifeClosed {
		return
	}
	if m.phase == lifeConnected {
		m.events = append(m.events, "disconnect")
	}
	m.phase = lifeClosed
	m.events = append(m.events, "closed")
	m.settleSession()
	m.undelivered = append(m.undelivered, m.held...)
	m.held, m.stage = nil, stageNone
	for _, what := range []lifeAction{actFlush, actRequest, actShutdown} {
		m.endCalls(what)
	}
	for _, s := range m.subs {
		s.end, s.known = endOver, false
	}
}

// state is what decides about the future, and nothing else. Two histories that lead
// to the same one are not told apart.
func (m *lifeModel) state() string {
	var b strings.Builder
	fmt.Fprint(&b, m.phase, m.mode, m.quiet, m.greeted, m.tries, m.refused, m.drain, m.stage, m.asked, m.mux, m.muxMade, m.muxKnown)
	for _, id := range m.held {
		b.WriteByte(id[0])
	}
	b.WriteByte('/')
	for _, id := range m.unproven {
		b.WriteByte(id[0])
	}
	fmt.Fprint(&b, len(m.replies), m.doubt == m.doubtBefore)
	for _, s := range m.subs {
		if s.end != endOver || s.pending > 0 || !s.told {
			fmt.Fprint(&b, " sub", s.end, s.known, s.pending)
		}
	}
	for i, c := range m.calls {
		if c.result != waits {
			continue
		}
		unsent := slices.Contains(m.held, fmt.Sprint("r", i))
		sent := slices.Contains(m.replies, fmt.Sprint("r", i))
		fmt.Fprint(&b, c.what, c.early, len(c.covers), unsent, sent)
	}
	return b.String()
}

// status is what Status is to return.
func (m *lifeModel) status() Status {
	switch {
	case m.phase == lifeClosed:
		return CLOSED
	case m.phase != lifeConnected:
		return RECONNECTING
	case m.stage == stagePubs:
		return DRAINING_PUBS
	case m.stage != stageNone:
		return DRAINING_SUBS
	}
	return CONNECTED
}

// seen is all that can be seen of the connection.
func (m *lifeModel) seen() lifeSeen {
	v := lifeSeen{Status: m.status(), Events: m.events, Server: m.server, Undelivered: m.undelivered,
		Held: len(m.held), InDoubt: m.doubt}
	if m.cfg.keep {
		v.Held += len(m.unproven)
	}
	for _, c := range m.calls {
		v.Calls = append(v.Calls, fmt.Sprint(c.what, ": ", c.result))
	}
	for _, s := range m.subs {
		begun := s.handled + min(s.pending, 1)
		v.Subs = append(v.Subs, subSeen{Begun: begun, Draining: s.end == endAsked || s.end == endLast,
			Valid: s.end != endOver, Told: map[bool]int{true: 1}[s.told]})
	}
	return v
}

// lifeSeen is what can be seen of a connection from outside.
type lifeSeen struct {
	Status      Status
	Calls       []string // what became of each
	Events      []string // the handlers that were called
	Server      []string // the messages that it got
	Undelivered []string
	Held        int
	InDoubt     int
	Subs        []subSeen
}

type subSeen struct {
	Begun           int // messages that its handler was given
	Draining, Valid bool
	Told            int // calls of its closed handler
}
