package main

import (
	"slices"

	"github.com/urfave/cli/v2"
)

// Headings of the command list.
const (
	networks = "networks"
	guests   = "guest interfaces"
	bridges  = "host bridges"
	truth    = "truth"
	program  = "the program"
)

// declaration is what declares a command, under its name and aliases.
type declaration struct {
	names   []string
	declare func(*env) *cli.Command
}

// declarations are in the order of the help.
func declarations() []declaration {
	return []declaration{
		{[]string{"net-list"}, netListCommand},
		{[]string{"net-info"}, netInfoCommand},
		{[]string{"net-dumpxml"}, netDumpXMLCommand},
		{[]string{"net-diff"}, netDiffCommand},
		{[]string{"net-name"}, netNameCommand},
		{[]string{"net-uuid"}, netUUIDCommand},
		{[]string{"net-dhcp-leases"}, netDHCPLeasesCommand},
		{[]string{"net-desc"}, netDescCommand},
		{[]string{"net-metadata"}, netMetadataCommand},
		{[]string{"net-event"}, netEventCommand},
		{[]string{"net-port-list"}, netPortListCommand},
		{[]string{"net-define"}, netDefineCommand},
		{[]string{"net-update"}, netUpdateCommand},
		{[]string{"net-create"}, netCreateCommand},
		{[]string{"net-start"}, netStartCommand},
		{[]string{"net-destroy"}, netDestroyCommand},
		{[]string{"net-restart"}, netRestartCommand},
		{[]string{"net-edit"}, netEditCommand},
		{[]string{"net-undefine"}, netUndefineCommand},
		{[]string{"net-autostart"}, netAutostartCommand},
		{[]string{"domif-list", "domiflist"}, domifListCommand},
		{[]string{"domif-addr", "domifaddr"}, domifAddrCommand},
		{[]string{"domif-attach"}, domifAttachCommand},
		{[]string{"domif-detach"}, domifDetachCommand},
		{[]string{"domif-replug"}, domifReplugCommand},
		{[]string{"bridge-list", "brctl show"}, bridgeListCommand},
		{[]string{"bridge-show"}, bridgeShowCommand},
		{[]string{"bridge-fdb"}, bridgeFDBCommand},
		{[]string{"verify"}, verifyCommand},
		{[]string{"repair"}, repairCommand},
		{[]string{"undo"}, undoCommand},
		{[]string{"history"}, historyCommand},
		{[]string{"snapshot"}, snapshotCommand},
		{[]string{"lint"}, lintCommand},
		{[]string{"version"}, versionCommand},
		{[]string{"completion"}, completionCommand},
		{[]string{"man"}, manCommand},
		{[]string{"__complete"}, completeCommand},
	}
}

// commands declares those that one of the words names, all where there is none:
// what declares the others need not come into memory.
func commands(e *env, words []string) []*cli.Command {
	var list []*cli.Command
	for _, d := range declarations() {
		if len(words) > 0 && !slices.ContainsFunc(d.names, func(n string) bool { return slices.Contains(words, n) }) {
			continue
		}
		c := d.declare(e)
		c.Name, c.Aliases = d.names[0], d.names[1:]
		list = append(list, c)
	}
	return list
}
