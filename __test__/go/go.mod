module senative.test

go 1.25.12

require (
	connectrpc.com/connect v1.19.1
	github.com/docker/secrets-engine/client v0.0.30
	github.com/docker/secrets-engine/plugin v0.2.0
	github.com/docker/secrets-engine/x v0.2.2-do.not.use
	github.com/hashicorp/yamux v0.1.2
	google.golang.org/protobuf v1.36.11
)

require (
	golang.org/x/mod v0.36.0 // indirect
	golang.org/x/sys v0.45.0 // indirect
)
