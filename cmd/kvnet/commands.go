package main

import "github.com/urfave/cli/v2"

// Headings of the command list.
const (
	networks = "networks"
	guests   = "guest interfaces"
	bridges  = "host bridges"
	truth    = "truth"
	program  = "the program"
)

// commands lists every command in the order of the help.
func commands(e *env) []*cli.Command {
	return []*cli.Command{
		netListCommand(e),
		netInfoCommand(e),
		netDumpXMLCommand(e),
		netDiffCommand(e),
		netNameCommand(e),
		netUUIDCommand(e),
		netDHCPLeasesCommand(e),
		netDescCommand(e),
		netMetadataCommand(e),
		netEventCommand(e),
		netPortListCommand(e),
		netDefineCommand(e),
		netUpdateCommand(e),
		netCreateCommand(e),
		netStartCommand(e),
		netDestroyCommand(e),
		netRestartCommand(e),
		netEditCommand(e),
		netUndefineCommand(e),
		netAutostartCommand(e),
		domifListCommand(e),
		domifAddrCommand(e),
		domifAttachCommand(e),
		domifDetachCommand(e),
		domifReplugCommand(e),
		bridgeListCommand(e),
		bridgeShowCommand(e),
		bridgeFDBCommand(e),
		verifyCommand(e),
		repairCommand(e),
		undoCommand(e),
		historyCommand(e),
		snapshotCommand(e),
		lintCommand(e),
		versionCommand(e),
		completionCommand(e),
		manCommand(e),
		completeCommand(e),
	}
}
