// Command bench compares this client with the incumbent and with the floor: the
// same bytes through the same socket with no client at all.
//
//	go run ./bench                    all of it; table and chart go to files too
//	go run ./bench -only publish      scenarios whose names match, printed only
//	go run ./bench -rounds 9 -scale 2
//
// The stub server, the nats-server and every single measurement are processes of
// their own, all of this program. The clients take turns, so what else the machine
// does meets all of them; of each figure the median of the rounds counts.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"

	"github.com/natsring/nats.go/internal/testserver"
)

// roleVar says what a process of this program is: empty for the one that was
// started by hand.
const roleVar, taskVar = "BENCH_ROLE", "BENCH_TASK"

func main() {
	if err := play(os.Getenv(roleVar)); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func play(role string) error {
	switch role {
	case "stub":
		return runStub()
	case "server":
		return runServer()
	case "measure":
		return runMeasure(os.Getenv(taskVar))
	}
	return runBench()
}

func runBench() error {
	only := flag.String("only", "", "regular expression of scenario names; nothing is written to a file")
	rounds := flag.Int("rounds", 5, "how often each client runs each scenario")
	scale := flag.Float64("scale", 1, "factor of the number of operations")
	profiles := flag.String("profiles", "", "directory for a processor profile of each scenario and client (of the last round)")
	out := flag.String("out", "../BENCHMARKS.md", "file for the table")
	svg := flag.String("svg", "../docs/benchmarks.svg", "file for the chart")
	flag.Parse()
	pattern, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	if err := os.Setenv(profileVar, *profiles); err != nil {
		return err
	}
	rows, err := compare(pattern, *rounds, *scale, measureApart, os.Stderr, *only == "")
	if err != nil {
		return err
	}
	fmt.Print(table(rows))
	if *only != "" {
		return nil
	}
	if err := os.WriteFile(*svg, []byte(chart(rows)), 0o644); err != nil {
		return err
	}
	return os.WriteFile(*out, []byte(document(rows, *rounds)), 0o644)
}

// compare runs the scenarios that match, round by round; with why also for a profile of
// those that miss their goals.
func compare(only *regexp.Regexp, rounds int, scale float64,
	measure func(task) (sample, error), progress io.Writer, why bool) ([]row, error) {
	stub, stopStub, err := serve("stub")
	if err != nil {
		return nil, err
	}
	defer stopStub()
	server, stopServer, err := serve("server")
	if err != nil {
		return nil, err
	}
	defer stopServer()
	urls := func(s *scenario) string {
		if s.real {
			return server
		}
		return stub
	}
	var rows []row
	for i := range scenarios {
		if s := &scenarios[i]; only.MatchString(s.name) {
			rows = append(rows, row{scenario: s, samples: map[string][]sample{}})
		}
	}
	for round := range rounds {
		for _, r := range rows {
			for k := range r.who {
				who := r.who[(k+round)%len(r.who)] // nobody is always the first
				fmt.Fprintf(progress, "\r\033[Kround %d of %d: %s, %s", round+1, rounds, r.name, who)
				got, err := measure(task{Scenario: r.name, Who: who, URL: urls(r.scenario), N: max(int(float64(r.n)*scale), 1)})
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", r.name, who, err)
				}
				r.samples[who] = append(r.samples[who], got)
			}
		}
	}
	if why {
		fmt.Fprint(progress, "\r\033[Kwhere the time goes")
		if err := explain(rows, urls, scale, measure); err != nil {
			return nil, err
		}
	}
	fmt.Fprint(progress, "\r\033[K")
	return rows, nil
}

// again is this program in another role.
func again(role string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), roleVar+"="+role)
	cmd.Stderr = os.Stderr
	return cmd, nil
}

// serve starts a server's process and returns the URL that it prints. It ends when
// its standard input does, so also when this process dies.
func serve(role string) (url string, stop func(), err error) {
	cmd, err := again(role)
	if err != nil {
		return "", nil, err
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		in.Close()
		_ = cmd.Wait()
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("%s did not start: %w", role, err)
	}
	return strings.TrimSpace(line), stop, nil
}

// measureApart measures in a new process.
func measureApart(t task) (got sample, err error) {
	cmd, err := again("measure")
	if err != nil {
		return got, err
	}
	text, err := json.Marshal(t)
	if err != nil {
		return got, err
	}
	cmd.Env = append(cmd.Env, taskVar+"="+string(text))
	out, err := cmd.Output()
	if err != nil {
		return got, err
	}
	return got, json.Unmarshal(out, &got)
}

// runServer is the process of a real nats-server.
func runServer() error {
	s, err := testserver.New(testserver.Config{})
	if err != nil {
		return err
	}
	defer s.Close()
	fmt.Println(s.URL())
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
