package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/verify"
	"github.com/kvnet/kvnet/xml"
)

type verifyOptions struct {
	subjects    []string
	checks      []string
	minSeverity verify.Severity
	strict      bool
	snapshot    string
	timeout     time.Duration
}

func verifyCommand(e *env) *cli.Command {
	var check, severity, explain string
	var listChecks bool
	o := verifyOptions{}
	return &cli.Command{
		Category:  truth,
		Usage:     "holds what libvirt declares against what the kernel has",
		ArgsUsage: "[NETWORK|BRIDGE|GUEST ...]",
		Description: describe(`
Asks libvirt, reads the kernel, and names every difference with its cause and
the commands that cure it; with arguments, only what belongs to these networks,
bridges and guests. It changes nothing. Ports that are still on their way to
forwarding, and a DHCP server that is being started, are waited for, at most
--timeout; a host with errors is looked at twice, and a ruleset that is being
written until it stands still. What could not be read is listed
as a gap, and the checks that need it as unknown. Without libvirt's half the
exit code is 1, and 5 when its daemon is there and does not answer.`,
			"kvnet verify default --strict -o junit", 0, 1, 2, 3, 5),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "check", Usage: "only these checks: `ID,...`", Destination: &check},
			&cli.StringFlag{Name: "min-severity", Usage: "print findings of this `SEVERITY` or worse: error, warning, info, unknown", Destination: &severity},
			&cli.BoolFlag{Name: "strict", Usage: "warnings make the exit code 3, too", Destination: &o.strict},
			&cli.StringFlag{Name: "explain", Usage: "tell what check `ID` looks for, and stop", Destination: &explain},
			&cli.BoolFlag{Name: "list-checks", Usage: "list the checks, and stop", Destination: &listChecks},
			&cli.StringFlag{Name: "snapshot", Usage: "judge the host saved in `FILE` (- is standard input), not this one", Destination: &o.snapshot},
			timeoutFlag(&o.timeout, "wait at most `DURATION` for ports to settle, in seconds or as 1m30s"),
		},
		Action: func(c *cli.Context) error {
			var err error
			if o.subjects, err = arguments(c, "[NETWORK|BRIDGE|GUEST ...]"); err != nil {
				return err
			}
			if err = checkTimeout("verify", o.timeout); err != nil {
				return err
			}
			if e.format == "junit" && (listChecks || explain != "") {
				return usage("verify", "junit shows findings only", "-o table, json or yaml")
			}
			switch {
			case listChecks:
				return runListChecks(e)
			case explain != "":
				return runExplain(e, explain)
			}
			if o.checks, err = checkIDs(check); err != nil {
				return err
			}
			if o.minSeverity, err = parseSeverity(severity); err != nil {
				return err
			}
			return runVerify(c.Context, e, o)
		},
	}
}

// checkIDs splits --check and knows every id.
func checkIDs(text string) ([]string, error) {
	var ids []string
	for id := range strings.SplitSeq(text, ",") {
		if id = strings.TrimSpace(id); id == "" {
			continue
		}
		if _, err := findCheck("--check", id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func parseSeverity(text string) (verify.Severity, error) {
	if text == "" {
		return verify.Unknown, nil
	}
	if s := verify.Severity(text); slices.Contains(verify.Severities, s) {
		return s, nil
	}
	var names []string
	for _, s := range verify.Severities {
		names = append(names, string(s))
	}
	return "", usage("verify", "flag --min-severity: no severity "+quote(text), "one of "+strings.Join(names, ", ")+suggestion(text, names))
}

func runVerify(ctx context.Context, e *env, o verifyOptions) error {
	g, err := verifySource(ctx, e, o)
	if err != nil {
		return err
	}
	subjects, err := resolveSubjects(g.Snapshot, o.subjects)
	if err != nil && g.libvirtErr == nil {
		return err
	}
	r := g.judge(verify.Options{Checks: o.checks, Subjects: subjects, Verdicts: e.format == "junit"})
	missing := g.err()
	g = gathered{} // a large host need not be kept while a large report is written
	if err := printReport(e, r, o); err != nil {
		return err
	}
	switch worst := r.Worst(); {
	case missing != nil: // without a half, silence would be taken for health
		return missing
	case worst == verify.Error, worst == verify.Warning && o.strict:
		return found()
	}
	return nil
}

// verifySource is the saved host, or this one once it has settled.
func verifySource(ctx context.Context, e *env, o verifyOptions) (gathered, error) {
	if o.snapshot != "" {
		s, err := readSnapshot(ctx, e, o.snapshot)
		g := gathered{Snapshot: s}
		if i := slices.IndexFunc(s.Libvirt.Gaps, func(gap libvirtnet.Gap) bool { return gap.Source == "connection" }); i >= 0 {
			g.libvirtErr = &failure{op: "read snapshot", object: o.snapshot, err: errors.New("it lacks libvirt's half: " + s.Libvirt.Gaps[i].Message)}
		}
		return g, err
	}
	g := e.gatherSettled(ctx, o.timeout)
	if err := ctx.Err(); err != nil {
		return g, &failure{op: "verify", object: g.URI, err: err}
	}
	return g, nil
}

// resolveSubjects turns names, UUIDs and guests' ids into names, and refuses
// what names nothing: a typing error must not look like health.
func resolveSubjects(s verify.Snapshot, subjects []string) ([]string, error) {
	if len(subjects) == 0 {
		return nil, nil
	}
	known := map[string]string{}
	for _, g := range s.Libvirt.Guests {
		if g.Active() {
			known[strconv.Itoa(g.ID)] = g.Name
		}
		known[g.UUID], known[g.Name] = g.Name, g.Name
	}
	for _, n := range s.Libvirt.Networks {
		known[n.UUID], known[n.Name] = n.Name, n.Name
		if b := n.Def().Bridge; b != "" {
			known[b] = b
		}
	}
	for _, b := range s.Kernel.Bridges {
		known[b.Name] = b.Name
	}
	names := make([]string, 0, len(subjects))
	for _, subject := range subjects {
		name, ok := known[subject]
		if uuid, err := xml.ParseUUID(subject); !ok && err == nil {
			name, ok = known[uuid]
		}
		if !ok {
			return subjects, &failure{op: "verify", object: shorten(subject), err: errors.New("no network, bridge or guest has this name"),
				hint: meant(subject, slices.Sorted(maps.Keys(known)), "kvnet net-list --all, bridge-list and domif-list --all list them")}
		}
		names = append(names, name)
	}
	return names, nil
}
