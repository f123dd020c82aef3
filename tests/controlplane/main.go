// Command controlplane is etcd, kube-apiserver and kube-scheduler in one program: the first argument says
// which, the others are what the real program takes.
//
// It exists because tests need the real ones, and Go's module proxy has them as libraries only. One program
// and not three, since they share most of their code: a third of the disk, and one link step.
//
// Each dies with whoever started it: it ends when its standard input does. A test process that is killed can
// clean up nothing, but the kernel closes its pipes.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

func main() {
	if len(os.Args) < 2 {
		fail("say which: etcd, kube-apiserver or kube-scheduler")
	}
	name, arguments := os.Args[1], os.Args[2:]
	go exitWithStandardInput()
	switch name {
	case "etcd":
		etcdmain.Main(append([]string{name}, arguments...))
	case "kube-apiserver":
		run(apiserver.NewAPIServerCommand(), arguments)
	case "kube-scheduler":
		run(scheduler.NewSchedulerCommand(), arguments)
	default:
		fail(fmt.Sprintf("%q is none of etcd, kube-apiserver and kube-scheduler", name))
	}
}

func run(command *cobra.Command, arguments []string) {
	command.SetArgs(arguments)
	os.Exit(cli.Run(command))
}

func exitWithStandardInput() {
	io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, "controlplane: "+message)
	os.Exit(2)
}
