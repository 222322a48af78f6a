package testserver

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCluster(t *testing.T) {
	t.Parallel()
	began := time.Now()
	c := RunCluster(t, 3)
	t.Logf("cluster of 3: %v", time.Since(began))
	require.Len(t, c.Servers, 3)
	require.Len(t, c.URLs(), 3)
	require.Equal(t, c.URLs()[0]+","+c.URLs()[1]+","+c.URLs()[2], c.URL())
	var addrs []string
	for _, s := range c.Servers {
		addrs = append(addrs, s.Addr())
	}
	for i, s := range c.Servers {
		require.Equal(t, 2, s.Server().NumRemotes())
		info := dialRaw(t, s.Addr()).info
		require.Equal(t, ClusterName, info.Cluster)
		require.Equal(t, "s"+string(rune('0'+i)), info.Name)
		require.ElementsMatch(t, addrs, info.ClientConnectURLs)
	}
}

func TestClusterCarriesMessages(t *testing.T) {
	t.Parallel()
	c := RunCluster(t, 2)
	sub := connectRaw(t, c.Servers[0].Addr())
	sub.send("SUB far 1\r\n")
	sub.sync()
	pub := connectRaw(t, c.Servers[1].Addr())
	// The interest travels to the other server in its own time, so the message
	// goes out again until one arrives.
	arrived := make(chan struct{})
	go func() { // ends with the first message
		defer close(arrived)
		sub.expect("MSG far 1 2")
	}()
	require.Eventually(t, func() bool {
		pub.send("PUB far 2\r\nhi\r\n")
		select {
		case <-arrived:
			return true
		default:
			return false
		}
	}, patience, tick)
}

func TestClusterMembersComeAndGo(t *testing.T) {
	t.Parallel()
	c := RunCluster(t, 3)
	for i, s := range c.Servers {
		client := connectRaw(t, s.Addr())
		if i%2 == 0 {
			s.Kill()
			require.NotContains(t, requireCut(t, client), "-ERR")
		} else {
			s.Stop()
		}
		require.NoError(t, c.WaitFormed()) // the other two
		require.NoError(t, s.Start())
		began := time.Now()
		require.NoError(t, c.WaitFormed())
		t.Logf("%d came back: %v", i, time.Since(began))
		require.Len(t, dialRaw(t, s.Addr()).info.ClientConnectURLs, 3)
	}
	c.Stop()
	for _, s := range c.Servers {
		require.False(t, s.Running())
	}
	for _, s := range c.Servers {
		require.NoError(t, s.Start())
	}
	require.NoError(t, c.WaitFormed())
}

func TestClusterWithJetStream(t *testing.T) {
	t.Parallel()
	c := RunCluster(t, 3, JetStream())
	reply := connectRaw(t, c.Servers[1].Addr()).request(createStream, `{"name":"S","subjects":["s.>"],"num_replicas":3}`)
	require.NotContains(t, reply, `"error"`)
	require.Contains(t, reply, ClusterName)
	require.Eventually(t, func() bool {
		return !slices.ContainsFunc(c.Servers, func(s *Server) bool {
			return !s.Server().JetStreamIsStreamCurrent("$G", "S")
		})
	}, patience, tick)

	// A member that is no leader: an election takes seconds.
	i := slices.IndexFunc(c.Servers, func(s *Server) bool { return !s.Server().JetStreamIsLeader() })
	require.GreaterOrEqual(t, i, 0)
	c.Servers[i].Kill()
	require.NoError(t, c.WaitFormed())
	require.NoError(t, c.Servers[i].Start())
	require.NoError(t, c.WaitFormed())
	require.Eventually(t, func() bool {
		info, err := c.Servers[i].Server().Jsz(nil)
		return err == nil && info.Streams == 1
	}, patience, tick)
}

func TestClusterSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	a, b := Run(t, clusterMember(0)), Run(t, clusterMember(1))
	c := &Cluster{Servers: []*Server{a, b}, limit: time.Millisecond}
	require.ErrorContains(t, c.WaitFormed(), "s0 sees 0 of 1 others")
}

func TestClusterConfigErrors(t *testing.T) {
	t.Parallel()
	_, err := NewCluster(3, Config{Port: 4222})
	require.Error(t, err)
	_, err = NewCluster(2, Config{Text: "port: ["})
	require.Error(t, err)
}
