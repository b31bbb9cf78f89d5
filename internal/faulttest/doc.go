// Package faulttest holds the node to its promises when things go wrong: killed at a random moment, out of disk, started twice, with
// hostile input, with clients that stand still and with a clock that goes backwards. What it acknowledged is there, what a status says
// and what is stored agree, nobody else is kept waiting, and nothing brings it down.
package faulttest
