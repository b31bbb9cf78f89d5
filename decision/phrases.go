package decision

import "entente/accord"

// In is the count with its sentences in one of accord.Languages; in any other it is English. A count that was read from JSON is as it is.
func (t Tally) In(lang string) Tally {
	if len(t.said) == len(t.Reasons) {
		said := make([]string, len(t.said))
		for i, p := range t.said {
			said[i] = phrases.Say(lang, p)
		}
		t.Reasons = said
	}
	if t.Missing != nil {
		list := make([]Missing, len(t.Missing))
		for i, m := range t.Missing {
			if m.said.Form != "" {
				m.Text = phrases.Say(lang, m.said)
			}
			list[i] = m
		}
		t.Missing = list
	}
	return t
}

// phrases are all that a count says, by the English form.
var phrases = accord.Phrasebook{
	"Rule %[1]s: consent of %[2]d of %[3]d is needed, and there is %[4]d; %[5]d of the parties must consent themselves, and %[6]d did.": {
		"Regel %[1]s: Zustimmung von %[2]d von %[3]d ist nötig, und es gibt %[4]d; %[5]d der Parteien müssen selbst zustimmen, und %[6]d haben es getan.",
		"Regla %[1]s: hace falta el consentimiento de %[2]d de %[3]d, y hay %[4]d; %[5]d de las partes deben consentir ellas mismas, y %[6]d lo hicieron.",
		"Règle %[1]s : il faut le consentement de %[2]d sur %[3]d, et il y en a %[4]d ; %[5]d des parties doivent consentir elles-mêmes, et %[6]d l'ont fait."},
	"A veto decides under this rule, and it is there: %[1]s.": {
		"Unter dieser Regel entscheidet ein Veto, und es ist da: %[1]s.",
		"Con esta regla un veto decide, y lo hay: %[1]s.",
		"Sous cette règle un veto décide, et il est là : %[1]s."},
	"Of %[1]d, %[2]d can never consent any more, so %[3]d cannot be reached.": {
		"Von %[1]d können %[2]d nie mehr zustimmen, also sind %[3]d nicht zu erreichen.",
		"De %[1]d, %[2]d ya no pueden consentir nunca, así que %[3]d no se pueden alcanzar.",
		"Sur %[1]d, %[2]d ne peuvent plus jamais consentir, donc %[3]d ne peuvent être atteints."},
	"So many parties vetoed that %[1]d cannot consent themselves any more.": {
		"So viele Parteien haben ein Veto eingelegt, dass %[1]d nicht mehr selbst zustimmen können.",
		"Tantas partes vetaron que %[1]d ya no pueden consentir ellas mismas.",
		"Tant de parties ont mis leur veto que %[1]d ne peuvent plus consentir elles-mêmes."},
	"Consent is there, and no party that could stop it did.": {
		"Die Zustimmung ist da, und keine Partei, die es aufhalten konnte, hat es getan.",
		"El consentimiento está, y ninguna parte que podía impedirlo lo hizo.",
		"Le consentement est là, et aucune partie qui pouvait l'empêcher ne l'a fait."},
	"Consent of %[1]d is still missing.": {
		"Zustimmung von %[1]d fehlt noch.", "Falta aún el consentimiento de %[1]d.", "Il manque encore le consentement de %[1]d."},
	"%[1]d more of the parties must consent themselves: silence does not do.": {
		"Noch %[1]d der Parteien müssen selbst zustimmen: Schweigen genügt nicht.",
		"%[1]d más de las partes deben consentir ellas mismas: el silencio no basta.",
		"%[1]d de plus des parties doivent consentir elles-mêmes : le silence ne suffit pas."},
	"%[1]s signed two final positions that contradict each other, and nothing else that it says counts.": {
		"%[1]s hat zwei endgültige Stellungnahmen unterschrieben, die einander widersprechen, und nichts anderes, was von dort kommt, zählt.",
		"%[1]s firmó dos posiciones finales que se contradicen, y nada más de lo que diga cuenta.",
		"%[1]s a signé deux positions définitives qui se contredisent, et rien d'autre de ce qu'elle dit ne compte."},
	"%[1]s could stop it: without its consent its own log must show that it had notice in time and cast no veto before the deadline (it is counted as: %[2]s).": {
		"%[1]s könnte es aufhalten: Ohne Zustimmung von dort muss das eigene Protokoll zeigen, dass es dort rechtzeitig bekannt war und bis zur Frist kein Veto eingelegt wurde (es zählt als: %[2]s).",
		"%[1]s podría impedirlo: sin su consentimiento su propio registro debe mostrar que lo supo a tiempo y no vetó antes del plazo (cuenta como: %[2]s).",
		"%[1]s pourrait l'empêcher : sans son consentement son propre journal doit montrer qu'elle en a eu connaissance à temps et n'a pas mis de veto avant l'échéance (elle compte comme : %[2]s)."},
	"Nothing of %[1]s is there: a party that cannot be reached blocks under this rule.": {
		"Von %[1]s ist nichts da: Eine Partei, die nicht zu erreichen ist, hält unter dieser Regel auf.",
		"De %[1]s no hay nada: con esta regla una parte que no se puede alcanzar bloquea.",
		"De %[1]s il n'y a rien : sous cette règle une partie qu'on ne peut joindre bloque."},
	"%[1]s has not consented (it is counted as: %[2]s).": {
		"%[1]s hat nicht zugestimmt (es zählt als: %[2]s).",
		"%[1]s no ha consentido (cuenta como: %[2]s).",
		"%[1]s n'a pas consenti (elle compte comme : %[2]s)."},

	// how a party counts
	string(Consented):  {"Zustimmung", "consentimiento", "consentement"},
	string(Silent):     {"Schweigen", "silencio", "silence"},
	string(Vetoed):     {"Veto", "veto", "veto"},
	string(Abstained):  {"Enthaltung", "abstención", "abstention"},
	string(Reserved):   {"Vorbehalt", "reserva", "réserve"},
	string(Contradict): {"Widerspruch zu sich selbst", "contradicción", "contradiction"},
	string(Unnoticed):  {"zu spät benachrichtigt", "avisada demasiado tarde", "prévenue trop tard"},
	string(Unknown):    {"unbekannt", "desconocida", "inconnue"},
}
