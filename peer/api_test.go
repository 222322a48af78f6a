package peer

import (
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// laterFiles are the incumbent's files of JetStream, key-value and object store.
var laterFiles = []string{"js.go", "jsm.go", "jserrors.go", "kv.go", "object.go"}

// parserStates are constants that a program has no use for: states of a parser.
var parserStates = regexp.MustCompile(`^(OP_|INFO_ARG$|MINUS_ERR_ARG$|MSG_|.*_ARG$|MSG_PAYLOAD$|MSG_END$)`)

// exceptions are what is not the same, and why.
var exceptions = map[string]string{
	"Version": "the version of this library",
}

// pending are identifiers that are still to come, by what they belong to. None of
// them may be there already: a list that is too long would hide what is lost again.
var pending = map[string][]string{
	"JetStream": {
		"Conn.JetStream", "Msg.Ack", "Msg.AckSync", "Msg.InProgress", "Msg.Metadata", "Msg.Nak",
		"Msg.NakWithDelay", "Msg.Term", "Subscription.ConsumerInfo", "Subscription.Fetch",
		"Subscription.FetchBatch", "Subscription.InitialConsumerPending",
	},
}

// inScope tells whether an item of the incumbent's is of the core API.
func inScope(name string, it item) bool {
	return !slices.Contains(laterFiles, it.file) && !parserStates.MatchString(name)
}

// difference says how ours is not theirs; "": it is the same.
func difference(theirs, ours surface, name string) string {
	mine, ok := ours[name]
	switch {
	case !ok:
		return "missing: " + theirs[name].text
	case mine.text != theirs[name].text:
		return "theirs: " + theirs[name].text + "\n      ours: " + mine.text
	}
	return ""
}

func allPending() map[string]bool {
	all := make(map[string]bool)
	for _, names := range pending {
		for _, name := range names {
			all[name] = true
		}
	}
	return all
}

// Every name of the incumbent's core API is here, with the same type and value.
func TestCoreAPIIsTheSame(t *testing.T) {
	s := load(t, theirPath, ourPath)
	theirs, ours := s[0], s[1]
	later := allPending()
	var names []string
	for name, it := range theirs {
		if inScope(name, it) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	same, open := 0, 0
	for _, name := range names {
		diff := difference(theirs, ours, name)
		switch {
		case diff == "":
			same++
		case later[name]:
			open++
		case exceptions[name] != "":
			t.Logf("%s differs: %s", name, exceptions[name])
		default:
			t.Errorf("%s\n    %s", name, diff)
		}
	}
	t.Logf("core API: %d of %d names are the same, %.1f%%; %d more are to come, %d differ on purpose",
		same, len(names), 100*float64(same)/float64(len(names)), open, len(exceptions))
}

// The encoders have the same API too.
func TestEncodersAPIIsTheSame(t *testing.T) {
	for _, sub := range []string{"/encoders/builtin", "/encoders/protobuf"} {
		s := load(t, theirPath+sub, ourPath+sub)
		require.NotEmpty(t, s[0])
		for name := range s[0] {
			require.Empty(t, difference(s[0], s[1], name), name)
		}
	}
}

// The lists name nothing that is the same, or that is not there.
func TestListsAreNotTooLong(t *testing.T) {
	s := load(t, theirPath, ourPath)
	for name := range exceptions {
		require.Containsf(t, s[0], name, "exception %s", name)
		require.NotEmptyf(t, difference(s[0], s[1], name), "exception %s is the same", name)
	}
	for name := range allPending() {
		require.Containsf(t, s[0], name, "pending %s", name)
		if difference(s[0], s[1], name) == "" {
			t.Errorf("%s is there now: take it off the list", name)
		}
	}
}

// What stays out of the comparison is JetStream's or the parser's.
func TestScopeLeavesOutOnlyJetStreamAndParserStates(t *testing.T) {
	s := load(t, theirPath)
	var out []string
	for name, it := range s[0] {
		if !inScope(name, it) && !strings.Contains(name, ".") && !slices.Contains(laterFiles, it.file) {
			out = append(out, name)
		}
	}
	sort.Strings(out)
	t.Logf("left out: %s", strings.Join(out, " "))
	require.Len(t, out, 31)
	require.Contains(t, s[0], "Connect")
	require.True(t, inScope("Connect", s[0]["Connect"]))
	require.True(t, inScope("Conn.Close", s[0]["Conn.Close"]))
}
