package nats

// Publish sends data to subject. It returns once the message is in the outbox;
// the network is not waited for. Without a server the message is buffered, and
// sent in its turn once there is one.
//
// Errors: ErrBadSubject, ErrMaxPayload, ErrReconnectBufExceeded without a
// server when the buffer is full (or off), ErrConnectionClosed,
// ErrInvalidConnection. With an error the message was not taken. data may be
// reused at once.
func (nc *Conn) Publish(subject string, data []byte) error {
	return nc.publish(subject, "", nil, data)
}

// PublishRequest is Publish with a reply subject, on which the program expects
// answers. An empty reply is ErrBadSubject.
func (nc *Conn) PublishRequest(subject, reply string, data []byte) error {
	if nc == nil {
		return ErrInvalidConnection
	}
	if nc.badSubject(subject) || !nc.Opts.SkipSubjectValidation && nc.badSubject(reply) {
		return ErrBadSubject
	}
	return nc.publish(subject, reply, nil, data)
}

// PublishMsg is Publish for a message with its Reply and Header.
//
// More errors: ErrInvalidMsg for nil, ErrBadHeaderMsg for a header key that is
// no token, ErrHeadersNotSupported if the server takes no headers (or none has
// been met yet).
func (nc *Conn) PublishMsg(m *Msg) error {
	if m == nil {
		return ErrInvalidMsg
	}
	hdr, err := m.Header.encode()
	if err != nil {
		return err
	}
	return nc.publish(m.Subject, m.Reply, hdr, m.Data)
}

// publish checks a message and puts it into the outbox.
func (nc *Conn) publish(subject, reply string, hdr, data []byte) error {
	if nc == nil {
		return ErrInvalidConnection
	}
	if nc.badSubject(subject) || reply != "" && !nc.Opts.SkipSubjectValidation && hasSpace(reply) {
		return ErrBadSubject
	}
	if len(hdr) > 0 && !nc.headers.Load() {
		return ErrHeadersNotSupported
	}
	// Until a server was met nobody knows what it takes.
	if nc.met.Load() && int64(len(hdr)+len(data)) > nc.maxPayload.Load() {
		if nc.IsClosed() {
			return ErrConnectionClosed
		}
		return ErrMaxPayload
	}
	return nc.out.publish(subject, reply, hdr, data)
}

// badSubject: empty, or with white space, which would end it on the wire.
func (nc *Conn) badSubject(s string) bool {
	return s == "" || !nc.Opts.SkipSubjectValidation && hasSpace(s)
}
