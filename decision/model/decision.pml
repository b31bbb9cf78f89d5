/* The decision of two honest parties under "all must consent, proven silence consents", with a combiner that leaves out what it likes,
 * advances its own clock and amends the proposal in the middle. Certificates are judged as package decision judges them. PROOF is 1 for the
 * proof of silence by the party's own log; 0 makes the combiner's inbox the truth, and the model then finds what that breaks.
 *
 *   spin -a decision.pml && cc -O2 -DSAFETY -o pan pan.c && ./pan
 */
#ifndef PROOF
#define PROOF 1
#endif
#ifndef ROUNDS
#define ROUNDS  2
#endif
#define PARTIES 2

#define NONE    0
#define CONSENT 1
#define VETO    2
#define RESERVE 3

#define EARLY  0   /* a party's own clock: notice comes in time */
#define MIDDLE 1   /* the deadline is to come */
#define OVER   2   /* the deadline has passed */

typedef Party {
	byte clock;
	byte acked[ROUNDS];   /* 0: not; else 1 + the clock when it was */
	byte said[ROUNDS];    /* the last word in its own log */
	bool head[ROUNDS];    /* it has signed a checkpoint of this log after its deadline */
}

/* What the combiner has. Words that reached it, per party and round: it may have an older one, and use any. */
typedef Inbox {
	bool consent[ROUNDS];
	bool veto[ROUNDS];
}

Party party[PARTIES];
Inbox inbox[PARTIES];
byte  round;              /* the newest that was proposed */
bool  yes[ROUNDS];
bool  no[ROUNDS];

#define timely(p, r) (party[p].acked[r] == 1 + EARLY)
#define final(w)     ((w) == CONSENT || (w) == VETO)

/* A log shows silence when its head is of after the deadline and nothing in between is a word. */
#define shown(p, r)  (party[p].head[r] && timely(p, r) && party[p].said[r] == NONE)
#define silent(p, r) (shown(p, r) || (!PROOF && !inbox[p].consent[r] && !inbox[p].veto[r]))
#define counts(p, r) (inbox[p].consent[r] || silent(p, r))

proctype Honest(byte me)
{
	byte r;
end:
	do
	:: atomic { party[me].clock < OVER -> party[me].clock++ }
	:: atomic { r = 0; do :: r < round -> r++ :: break od;
		if
		:: party[me].acked[r] == 0 -> party[me].acked[r] = 1 + party[me].clock
		:: else -> skip
		fi; r = 0 }
	:: atomic { party[me].clock < OVER -> r = 0; do :: r < round -> r++ :: break od;
		if
		:: party[me].acked[r] != 0 && !final(party[me].said[r]) ->
			if
			:: party[me].said[r] = CONSENT
			:: party[me].said[r] = VETO
			:: party[me].said[r] == NONE -> party[me].said[r] = RESERVE
			fi
		:: else -> skip
		fi; r = 0 }
	:: atomic { party[me].clock == OVER -> r = 0; do :: r < round -> r++ :: break od;
		party[me].head[r] = true; r = 0 }
	od
}

/* The combiner reads what it likes when it likes, amends once, and makes every certificate that it can. */
proctype Combiner()
{
	byte r, p;
end:
	do
	:: atomic { round + 1 < ROUNDS -> round++ }
	:: atomic { r = 0; do :: r < round -> r++ :: break od; p = 0; do :: p + 1 < PARTIES -> p++ :: break od;
		if
		:: party[p].said[r] == CONSENT -> inbox[p].consent[r] = true
		:: party[p].said[r] == VETO -> inbox[p].veto[r] = true
		:: else -> skip
		fi; r = 0; p = 0 }
	:: atomic { r = 0; do :: r < round -> r++ :: break od;
		if
		:: counts(0, r) && counts(1, r) && (inbox[0].consent[r] || inbox[1].consent[r]) ->
			yes[r] = true;
			/* a veto is never missing, and whoever counts as silent was: at its own clock, with notice in time */
			assert(party[0].said[r] != VETO && party[1].said[r] != VETO);
			assert(inbox[0].consent[r] || (party[0].clock == OVER && timely(0, r)));
			assert(inbox[1].consent[r] || (party[1].clock == OVER && timely(1, r)));
			assert(!inbox[0].consent[r] || party[0].said[r] == CONSENT);
			assert(!inbox[1].consent[r] || party[1].said[r] == CONSENT)
		:: inbox[0].veto[r] || inbox[1].veto[r] -> no[r] = true
		:: else -> skip
		fi;
		assert(!yes[r] || !no[r]);
		r = 0 }
	/* what was taken once stays: nothing that comes later may contradict it */
	:: atomic { r = 0; do :: r < round -> r++ :: break od; yes[r] -> assert(party[0].said[r] != VETO && party[1].said[r] != VETO); r = 0 }
	od
}

init { atomic { run Honest(0); run Honest(1); run Combiner() } }
