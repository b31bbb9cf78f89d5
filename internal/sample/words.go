package sample

import "strings"

// words stand in the order of how often they come.
var words = strings.Fields(`
the a of to in on with from by for traffic host server file domain address observed malware actor campaign network
remote access sample payload loader beacon control command campaign cluster infrastructure phishing mail attachment link
user account password credential theft token session browser plugin update installer signed certificate registry key
service task scheduled persistence lateral movement share admin domain controller directory query enumeration scan port
open closed tunnel proxy relay exit node hosting provider block list sinkhole passive record history resolver lookup
energy grid water port airport hospital ministry election register municipality university research bank telecom carrier
satellite logistics rail supplier vendor contractor regional national allied shared reported confirmed suspected likely
possible early late first last seen active inactive dormant recurring daily weekly encoded encrypted packed obfuscated
script macro document archive image disk memory kernel driver library module export import function string mutex pipe
thread process injection hollow shellcode stager implant backdoor keylogger stealer miner wiper ransom note leak site
exfiltration staging upload cloud bucket storage tenant identity federation consent grant application gateway appliance
firewall router camera sensor controller firmware bootloader update channel supply chain dependency package repository
build pipeline runner secret key rotation revocation advisory guidance mitigation patch workaround detection hunting
`)

var phases = []string{"initial-access", "execution", "persistence", "privilege-escalation", "defense-evasion", "credential-access",
	"discovery", "lateral-movement", "collection", "command-and-control", "exfiltration", "impact"}
