// Command server answers nvidia.ipam.node.v1 as the metadata of each call asks for:
//
//	peer-delay-ms     waits before answering
//	peer-status       answers with this status code; its message is the first pool's name
//	peer-routes       number of routes in the answer of Allocate
//
// Allocate echoes the request: one allocation for each pool, with the container id as address and the value of
// nv-ipam-network as gateway. It prints "ready" when it listens. SIGTERM lets calls under way end, then exits.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"nv-ipam.test/peers/node"
)

func main() {
	network := flag.String("network", "unix", "unix or tcp")
	address := flag.String("address", "", "socket path or host:port")
	maxAge := flag.Duration("max-connection-age", 0, "age after which a connection is told to go away; 0 for never")
	flag.Parse()
	listener, err := net.Listen(*network, *address)
	if err != nil {
		log.Fatal(err)
	}
	options := []grpc.ServerOption{grpc.MaxRecvMsgSize(16 << 20)}
	if *maxAge > 0 {
		options = append(options, grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: *maxAge}))
	}
	server := grpc.NewServer(options...)
	node.RegisterIPAMServiceServer(server, service{})
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		<-stop
		server.GracefulStop()
	}()
	fmt.Println("ready")
	if err := server.Serve(listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		log.Fatal(err)
	}
}

type service struct {
	node.UnimplementedIPAMServiceServer
}

func (service) Allocate(ctx context.Context, request *node.AllocateRequest) (*node.AllocateResponse, error) {
	if err := behave(ctx, request.GetParameters()); err != nil {
		return nil, err
	}
	routes := make([]*node.Route, number(ctx, "peer-routes"))
	for i := range routes {
		routes[i] = &node.Route{Dest: fmt.Sprintf("10.%d.%d.0/24", i/256, i%256)}
	}
	response := &node.AllocateResponse{}
	for _, pool := range request.GetParameters().GetPools() {
		response.Allocations = append(response.Allocations, &node.AllocationInfo{
			Pool:     pool,
			Ip:       request.GetParameters().GetCniContainerid(),
			Gateway:  text(ctx, "nv-ipam-network"),
			PoolType: request.GetParameters().GetPoolType(),
			Routes:   routes,
		})
	}
	return response, nil
}

func (service) IsAllocated(ctx context.Context, request *node.IsAllocatedRequest) (*node.IsAllocatedResponse, error) {
	return &node.IsAllocatedResponse{}, behave(ctx, request.GetParameters())
}

func (service) Deallocate(ctx context.Context, request *node.DeallocateRequest) (*node.DeallocateResponse, error) {
	return &node.DeallocateResponse{}, behave(ctx, request.GetParameters())
}

// behave waits and fails as the metadata says.
func behave(ctx context.Context, parameters *node.IPAMParameters) error {
	select {
	case <-time.After(time.Duration(number(ctx, "peer-delay-ms")) * time.Millisecond):
	case <-ctx.Done():
		return ctx.Err()
	}
	if code := number(ctx, "peer-status"); code != 0 {
		return status.Error(codes.Code(code), parameters.GetPools()[0])
	}
	return nil
}

func text(ctx context.Context, key string) string {
	if values := metadata.ValueFromIncomingContext(ctx, key); len(values) > 0 {
		return values[0]
	}
	return ""
}

func number(ctx context.Context, key string) int {
	value, _ := strconv.Atoi(text(ctx, key))
	return value
}
