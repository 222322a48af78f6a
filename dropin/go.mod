module github.com/nats-io/nats.go

go 1.26.0

require github.com/natsring/nats.go v0.0.0

require github.com/nats-io/nuid v1.0.1 // indirect

replace github.com/natsring/nats.go => ../
