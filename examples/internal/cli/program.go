// Package cli is what the command-line examples share: a program with flags and an
// exit status, the flags of a connection, and how messages are printed.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// A Program is a command without its process, so that tests can run it.
type Program struct {
	// Name of the command.
	Name string
	// Args shows the arguments behind the flags.
	Args string
	// About says what the program does, in lines of the help text.
	About string
	// Flags defines the flags.
	Flags func(fs *flag.FlagSet)
	// Check takes the arguments behind the flags and says what is wrong with the
	// command line.
	Check func(args []string) error
	// Run does the work. The context ends with the first Ctrl-C.
	Run func(ctx context.Context, std Std) error
}

// Std is what a program reads from and writes to.
type Std struct {
	In       io.Reader
	Out, Err io.Writer
}

// Main runs the program as this process, and does not return.
func (p Program) Main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal ends the program in order, a second one at once.
	context.AfterFunc(ctx, stop)
	os.Exit(p.Do(ctx, os.Args[1:], Std{os.Stdin, os.Stdout, os.Stderr}))
}

// Do runs the program and returns the exit status: 0, 1 for what Run returns, which
// is printed, 2 for a command line that is wrong.
func (p Program) Do(ctx context.Context, args []string, std Std) int {
	fs := flag.NewFlagSet(p.Name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	p.Flags(fs)
	err := fs.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		p.help(std.Out, fs)
		return 0
	}
	if err == nil {
		err = p.Check(fs.Args())
	}
	if err != nil {
		fmt.Fprintf(std.Err, "%s: %v\nusage: %s %s (-h tells more)\n", p.Name, err, p.Name, p.Args)
		return 2
	}
	if err := p.Run(ctx, std); err != nil {
		fmt.Fprintf(std.Err, "%s: %v\n", p.Name, err)
		return 1
	}
	return 0
}

func (p Program) help(w io.Writer, fs *flag.FlagSet) {
	fmt.Fprintf(w, "usage: %s %s\n\n%s\n\n", p.Name, p.Args, p.About)
	fs.SetOutput(w)
	fs.PrintDefaults()
}

// NoArgs is the Check of a program that takes flags only.
func NoArgs(args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unexpected argument %q", args[0])
	}
	return nil
}
