// Package sigma reads Sigma rules, filters, correlations and pipelines (Sigma specification 2.1), says exactly what they mean, and
// evaluates them in the simplest way. It is pure: no files, no network, no clock.
//
// [Parse] reads a text into a [Collection]. [Rule.Narrow] adds filters, [Pipeline.Apply] changes a rule by data, [Pipeline.Route] says
// what the events of its logsource look like, and [Rule.Compile] makes a [Query]: an expression over questions to single fields
// ([Match]), each of which is its own key, so that an engine can ask what many rules ask only once. [Query.Eval] and [Correlate] are the
// meaning, and slow; an engine is held against them. What cannot mean what it says is a [Problem] with its place, code and what to do:
// nothing is left out in silence.
//
// Where the specification is silent, contradicts itself, or implementations differ, this package has decided:
//
//   - Texts are compared by simple case folding of all of Unicode ([Fold]), as (?i) in a regular expression does; cased turns it off.
//     The names of fields have case.
//   - * and ? match every character, line ends as well; ? is one code point. A * alone is any value but null, the empty text as well.
//   - A number without quotation marks equals every number of the same value, exactly, also where the event has it as a text. A value in
//     quotation marks, and one with wildcards, is compared with the number as the event writes it. 0x1f, 1_000 or .inf is a text.
//   - null is null, an empty list, or no field; the empty text in quotation marks is itself and nothing else; exists looks only whether there is the field.
//   - A list in an event matches when any of its values does; all asks each value of the rule on its own.
//   - neq is not, over the whole item: a missing field is different, and a list in the rule means none of them.
//   - Keywords are looked for in each value of an event, never in names, in what JSON escapes, or across values.
//   - windash changes each dash that begins a parameter (no letter, digit or _ before it, one after it) by itself into each of the five.
//   - base64 and base64offset compare with case, which is part of what is encoded.
//   - re is a search, with case, in the syntax and the linear time of RE2: $ is the end of the text, and look-around, back-references,
//     atomic groups and possessive quantifiers are refused. startswith and endswith after re tie it to the beginning and the end.
//   - A cidr without a length is one address; bits of the host are cleared; an IPv4 address in IPv6 form is the IPv4 address.
//   - fieldref is false when either field is missing or null. startswith, endswith and contains go with it.
//   - The parts of a time are those that the log writes, without a change of zone; a number is seconds, or milliseconds, since 1970.
//     The week is that of ISO 8601, 1 to 53.
//   - "them" skips names that begin with _; a pattern with * does not.
//   - The condition of a filter must hold as well (the specification's own example says the opposite of its text): to leave
//     something out a filter says not, and one that does not is told so.
//   - Correlations: see [Correlate]. An event without one of the fields of group-by is not counted; without group-by all is one group;
//     values group without case. lt, lte and neq see only what happened. value_percentile is the value of the nearest rank, the 50th
//     where none is said; value_median is the mean of the middle two. temporal_ordered needs an event for each rule.
//   - all with a single value is tolerated, and told.
package sigma
