// Command client makes one unary call of nvidia.ipam.node.v1.IPAMService: the request comes as JSON on stdin (field names
// of the protocol definition), the answer goes to stdout as {"status": "OK", "response": {…}} or
// {"status": "NOT_FOUND", "message": "…"}. It exits with 0 whenever there was a status.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"nv-ipam.test/peers/node"
)

type answer struct {
	Status   string          `json:"status"`
	Message  string          `json:"message,omitempty"`
	Response json.RawMessage `json:"response,omitempty"`
}

var statusNames = map[codes.Code]string{
	codes.OK:                 "OK",
	codes.Canceled:           "CANCELLED",
	codes.Unknown:            "UNKNOWN",
	codes.InvalidArgument:    "INVALID_ARGUMENT",
	codes.DeadlineExceeded:   "DEADLINE_EXCEEDED",
	codes.NotFound:           "NOT_FOUND",
	codes.AlreadyExists:      "ALREADY_EXISTS",
	codes.PermissionDenied:   "PERMISSION_DENIED",
	codes.ResourceExhausted:  "RESOURCE_EXHAUSTED",
	codes.FailedPrecondition: "FAILED_PRECONDITION",
	codes.Aborted:            "ABORTED",
	codes.OutOfRange:         "OUT_OF_RANGE",
	codes.Unimplemented:      "UNIMPLEMENTED",
	codes.Internal:           "INTERNAL",
	codes.Unavailable:        "UNAVAILABLE",
	codes.DataLoss:           "DATA_LOSS",
	codes.Unauthenticated:    "UNAUTHENTICATED",
}

func main() {
	target := flag.String("target", "", "what to call, as grpc-go writes it: unix:///path or host:port")
	method := flag.String("method", "Allocate", "Allocate, IsAllocated or Deallocate")
	timeout := flag.Duration("timeout", 10*time.Second, "limit for the call")
	pairs := metadata.MD{}
	flag.Func("metadata", "name=value, may be repeated", func(text string) error {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return fmt.Errorf("%q is not name=value", text)
		}
		pairs.Append(name, value)
		return nil
	})
	flag.Parse()
	request, response, err := messages(*method)
	if err != nil {
		log.Fatal(err)
	}
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	if err := protojson.Unmarshal(input, request); err != nil {
		log.Fatal(err)
	}
	connection, err := grpc.NewClient(*target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(metadata.NewOutgoingContext(context.Background(), pairs), *timeout)
	defer cancel()
	err = connection.Invoke(ctx, "/nvidia.ipam.node.v1.IPAMService/"+*method, request, response)
	print(response, status.Convert(err))
}

func messages(method string) (request, response proto.Message, err error) {
	switch method {
	case "Allocate":
		return &node.AllocateRequest{}, &node.AllocateResponse{}, nil
	case "IsAllocated":
		return &node.IsAllocatedRequest{}, &node.IsAllocatedResponse{}, nil
	case "Deallocate":
		return &node.DeallocateRequest{}, &node.DeallocateResponse{}, nil
	}
	return nil, nil, fmt.Errorf("there is no method %q", method)
}

func print(response proto.Message, result *status.Status) {
	out := answer{Status: statusNames[result.Code()], Message: result.Message()}
	if result.Code() == codes.OK {
		text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(response)
		if err != nil {
			log.Fatal(err)
		}
		out.Response = text
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		log.Fatal(err)
	}
}
