package nats

//go:generate go -C ../peer run ./dropingen ../dropin
