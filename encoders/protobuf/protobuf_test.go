package protobuf

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/natsring/nats.go"
	"github.com/natsring/nats.go/internal/testserver"
)

func TestMessagesGoThroughAConnection(t *testing.T) {
	t.Parallel()
	s := testserver.Run(t)
	nc, err := nats.Connect(s.URL())
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	//lint:ignore SA1019 it is what the encoder is for
	c, err := nats.NewEncodedConn(nc, PROTOBUF_ENCODER)
	require.NoError(t, err)
	ch := make(chan *durationpb.Duration, 1)
	_, err = c.BindRecvChan("foo", ch)
	require.NoError(t, err)
	want := durationpb.New(90 * time.Second)
	require.NoError(t, c.Publish("foo", want))
	select {
	case got := <-ch:
		require.True(t, proto.Equal(want, got), got)
	case <-time.After(20 * time.Second):
		require.FailNow(t, "nothing came")
	}
}

func TestEncoderRefusesOtherValues(t *testing.T) {
	t.Parallel()
	var enc ProtobufEncoder
	_, err := enc.Encode("foo", "text")
	require.ErrorIs(t, err, ErrInvalidProtoMsgEncode)
	require.ErrorIs(t, enc.Decode("foo", nil, new(int)), ErrInvalidProtoMsgDecode)
	b, err := enc.Encode("foo", nil)
	require.NoError(t, err)
	require.Empty(t, b)
	var whatever any = 7
	require.NoError(t, enc.Decode("foo", []byte("x"), &whatever))
	require.Equal(t, 7, whatever)
	require.Error(t, enc.Decode("foo", []byte("no message"), &durationpb.Duration{}))
}
