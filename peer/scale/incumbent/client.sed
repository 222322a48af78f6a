1,3c\
// Package incumbent is the package ours with the other client. Change that one, then\
// run go generate.\
//\
//go:generate sh -c "sed -f client.sed ../ours/client.go >client.go"
s/^package ours/package incumbent/
s|natsring/nats.go|nats-io/nats.go|
