package gate

import "entente/accord"

// In is the reason with its sentence in one of accord.Languages; in any other it is English. A reason that was read from JSON is as it is.
func (r Reason) In(lang string) Reason {
	if r.said == nil {
		return r
	}
	r.Sentence = phrases.Say(lang, *r.said)
	if r.detail != nil {
		r.Sentence += ": " + phrases.Say(lang, *r.detail)
	}
	return r
}

// In is the decision with its sentences in one of accord.Languages; in any other it is English.
func (d Decision) In(lang string) Decision {
	d.Reasons = ReasonsIn(lang, d.Reasons)
	if d.Obligations != nil {
		list := make([]Obligation, len(d.Obligations))
		for i, o := range d.Obligations {
			o.Sentence = phrases.Say(lang, accord.Phrase{Form: o.Sentence})
			list[i] = o
		}
		d.Obligations = list
	}
	return d
}

// ReasonsIn are reasons with their sentences in one of accord.Languages; in any other they are English.
func ReasonsIn(lang string, reasons []Reason) []Reason {
	out := make([]Reason, len(reasons))
	for i, r := range reasons {
		out[i] = r.In(lang)
	}
	return out
}

// phrases are all that the gate says, by the English form.
var phrases = accord.Phrasebook{
	// the rules of an accord, kept and broken
	"no accord stands": {"keine Vereinbarung besteht", "no hay ningún acuerdo", "aucun accord n'existe"},
	"the giver, the receiver and the originator are parties":                                                 {"Geber, Empfänger und Urheber sind Parteien", "el que da, el que recibe y el originador son partes", "celui qui donne, celui qui reçoit et l'émetteur sont parties"},
	"the giver, the receiver and the originator are not all parties, or the receiver has the record already": {"Geber, Empfänger und Urheber sind nicht alle Parteien, oder der Empfänger hat den Datensatz schon", "el que da, el que recibe y el originador no son todos partes, o el receptor ya tiene el registro", "celui qui donne, celui qui reçoit et l'émetteur ne sont pas tous parties, ou le destinataire a déjà l'enregistrement"},
	"the accord is in effect":                                        {"die Vereinbarung ist in Kraft", "el acuerdo está en vigor", "l'accord est en vigueur"},
	"the accord is not in effect now":                                {"die Vereinbarung ist jetzt nicht in Kraft", "el acuerdo no está ahora en vigor", "l'accord n'est pas en vigueur maintenant"},
	"no suspension stops the flow":                                   {"keine Aussetzung hält den Fluss auf", "ninguna suspensión detiene el flujo", "aucune suspension n'arrête le flux"},
	"the flow is suspended":                                          {"der Fluss ist ausgesetzt", "el flujo está suspendido", "le flux est suspendu"},
	"the accord has not ended for any of them":                       {"die Vereinbarung ist für keinen von ihnen zu Ende", "el acuerdo no ha terminado para ninguno de ellos", "l'accord n'a pris fin pour aucun d'eux"},
	"the accord has ended, or one of them has left it":               {"die Vereinbarung ist zu Ende, oder einer von ihnen ist ausgeschieden", "el acuerdo ha terminado, o uno de ellos se ha retirado", "l'accord a pris fin, ou l'un d'eux l'a quitté"},
	"the originator's audience reaches the receiver":                 {"der Empfängerkreis des Urhebers erreicht den Empfänger", "la audiencia del originador alcanza al receptor", "l'audience de l'émetteur atteint le destinataire"},
	"the originator's audience does not reach the receiver by name":  {"der Empfängerkreis des Urhebers erreicht den Empfänger nicht namentlich", "la audiencia del originador no alcanza nominalmente al receptor", "l'audience de l'émetteur n'atteint pas nommément le destinataire"},
	"the originator gives it, or its own signed bytes are passed on": {"der Urheber gibt ihn, oder seine eigenen unterzeichneten Bytes werden weitergegeben", "lo da el originador, o se transmiten sus propios bytes firmados", "l'émetteur le donne, ou ses propres octets signés sont transmis"},
	"only the originator gives what it did not sign as it is":        {"nur der Urheber gibt, was er so nicht unterzeichnet hat", "solo el originador da lo que no firmó tal como está", "seul l'émetteur donne ce qu'il n'a pas signé tel quel"},
	"the label lets the giver pass it on":                            {"die Kennzeichnung lässt den Geber ihn weitergeben", "la etiqueta deja que quien da lo transmita", "l'étiquette laisse celui qui donne le transmettre"},
	"the label does not let anybody but the originator pass it on":   {"die Kennzeichnung lässt niemanden als den Urheber ihn weitergeben", "la etiqueta no deja que nadie salvo el originador lo transmita", "l'étiquette ne laisse personne d'autre que l'émetteur le transmettre"},
	"the record is under no embargo":                                 {"der Datensatz unterliegt keiner Sperrfrist", "el registro no está bajo embargo", "l'enregistrement n'est sous aucun embargo"},
	"the record is under embargo":                                    {"der Datensatz unterliegt einer Sperrfrist", "el registro está bajo embargo", "l'enregistrement est sous embargo"},
	"the record is within its retention":                             {"der Datensatz ist innerhalb seiner Aufbewahrung", "el registro está dentro de su retención", "l'enregistrement est dans sa durée de conservation"},
	"the record's retention has ended":                               {"die Aufbewahrung des Datensatzes ist zu Ende", "la retención del registro ha terminado", "la conservation de l'enregistrement a pris fin"},
	"the record and the accord have a purpose in common":             {"der Datensatz und die Vereinbarung haben einen Zweck gemeinsam", "el registro y el acuerdo tienen un fin en común", "l'enregistrement et l'accord ont un but en commun"},
	"the record is for none of the accord's purposes":                {"der Datensatz ist für keinen Zweck der Vereinbarung", "el registro no es para ningún fin del acuerdo", "l'enregistrement n'est pour aucun des buts de l'accord"},
	"the record and the accord have a sector in common":              {"der Datensatz und die Vereinbarung haben eine Branche gemeinsam", "el registro y el acuerdo tienen un sector en común", "l'enregistrement et l'accord ont un secteur en commun"},
	"the record is for none of the accord's sectors":                 {"der Datensatz ist für keine Branche der Vereinbarung", "el registro no es para ningún sector del acuerdo", "l'enregistrement n'est pour aucun des secteurs de l'accord"},
	"the record, the node and the accord are of one realm":           {"der Datensatz, der Knoten und die Vereinbarung sind von einem Bereich", "el registro, el nodo y el acuerdo son de un mismo ámbito", "l'enregistrement, le nœud et l'accord sont d'un même domaine"},
	"the record, the node and the accord are not all of one realm":   {"der Datensatz, der Knoten und die Vereinbarung sind nicht alle von einem Bereich", "el registro, el nodo y el acuerdo no son todos de un mismo ámbito", "l'enregistrement, le nœud et l'accord ne sont pas tous d'un même domaine"},
	"every legal basis is in force":                                  {"jede Rechtsgrundlage ist in Kraft", "toda base legal está en vigor", "toute base légale est en vigueur"},
	"a legal basis is not known, or not in force any more":           {"eine Rechtsgrundlage ist nicht bekannt oder nicht mehr in Kraft", "una base legal no se conoce, o ya no está en vigor", "une base légale n'est pas connue, ou n'est plus en vigueur"},
	"the day's limit is not reached":                                 {"die Grenze des Tages ist nicht erreicht", "el límite del día no se ha alcanzado", "la limite du jour n'est pas atteinte"},
	"the day's limit of objects is reached":                          {"die Grenze des Tages für Objekte ist erreicht", "el límite diario de objetos se ha alcanzado", "la limite d'objets du jour est atteinte"},
	"the record is within the limits of size":                        {"der Datensatz ist innerhalb der Größengrenzen", "el registro está dentro de los límites de tamaño", "l'enregistrement est dans les limites de taille"},
	"the record is larger than the accord lets it be":                {"der Datensatz ist größer, als die Vereinbarung es zulässt", "el registro es mayor de lo que permite el acuerdo", "l'enregistrement est plus grand que l'accord ne le permet"},
	"what was to come back came back, or need not":                   {"was zurückkommen sollte, kam zurück, oder muss es nicht", "lo que debía volver volvió, o no tiene que hacerlo", "ce qui devait revenir est revenu, ou n'a pas à revenir"},
	"too little has come back for too long":                          {"zu lange ist zu wenig zurückgekommen", "ha vuelto demasiado poco durante demasiado tiempo", "il est revenu trop peu pendant trop longtemps"},
	"everything that it names may be had by the receiver":            {"der Empfänger darf alles haben, was er nennt", "el receptor puede tener todo lo que nombra", "le destinataire peut avoir tout ce qu'il nomme"},
	"it names what the receiver may not have":                        {"er nennt, was der Empfänger nicht haben darf", "nombra lo que el receptor no puede tener", "il nomme ce que le destinataire ne peut pas avoir"},
	"the give is for this kind":                                      {"die Klausel ist für diese Art", "la cláusula es para este tipo", "la clause est pour ce type"},
	"no give is for this kind":                                       {"keine Klausel ist für diese Art", "ninguna cláusula es para este tipo", "aucune clause n'est pour ce type"},
	"the give is from the originator to the receiver":                {"die Klausel geht vom Urheber an den Empfänger", "la cláusula va del originador al receptor", "la clause va de l'émetteur au destinataire"},
	"the give is not from the originator to the receiver":            {"die Klausel geht nicht vom Urheber an den Empfänger", "la cláusula no va del originador al receptor", "la clause ne va pas de l'émetteur au destinataire"},
	"the TLP is within the ceiling":                                  {"das TLP ist innerhalb der Obergrenze", "el TLP está dentro del techo", "le TLP est sous le plafond"},
	"the TLP is above the ceiling":                                   {"das TLP liegt über der Obergrenze", "el TLP está por encima del techo", "le TLP est au-dessus du plafond"},
	"the classification is within the ceiling":                       {"die Einstufung ist innerhalb der Obergrenze", "la clasificación está dentro del techo", "la classification est sous le plafond"},
	"the classification is above the ceiling":                        {"die Einstufung liegt über der Obergrenze", "la clasificación está por encima del techo", "la classification est au-dessus du plafond"},
	"the kind is not stripped":                                       {"die Art wird nicht entfernt", "el tipo no se quita", "le type n'est pas retiré"},
	"the kind is one that is taken out":                              {"die Art ist eine, die entfernt wird", "el tipo es uno que se quita", "le type est de ceux qui sont retirés"},
	"the originator chose the receiver for this record":              {"der Urheber hat den Empfänger für diesen Datensatz gewählt", "el originador eligió al receptor para este registro", "l'émetteur a choisi le destinataire pour cet enregistrement"},
	"the originator did not choose the receiver for this record":     {"der Urheber hat den Empfänger nicht für diesen Datensatz gewählt", "el originador no eligió al receptor para este registro", "l'émetteur n'a pas choisi le destinataire pour cet enregistrement"},
	"the receiver has persons who may have it":                       {"der Empfänger hat Personen, die ihn haben dürfen", "el receptor tiene personas que pueden tenerlo", "le destinataire a des personnes qui peuvent l'avoir"},
	"the receiver has no person who may have it":                     {"der Empfänger hat keine Person, die ihn haben darf", "el receptor no tiene ninguna persona que pueda tenerlo", "le destinataire n'a personne qui puisse l'avoir"},
	"no release officer need sign, or one has":                       {"kein Freigabebeauftragter muss unterzeichnen, oder einer hat es", "ningún oficial de liberación tiene que firmar, o uno lo ha hecho", "aucun officier de diffusion ne doit signer, ou l'un l'a fait"},
	"a release officer has not signed the release":                   {"kein Freigabebeauftragter hat die Freigabe unterzeichnet", "ningún oficial de liberación ha firmado la liberación", "aucun officier de diffusion n'a signé la diffusion"},

	// what a broken rule says of the record
	"from %[1]s to %[2]s, of %[3]s":   {"von %[1]s an %[2]s, aus %[3]s", "de %[1]s a %[2]s, originado por %[3]s", "de %[1]s à %[2]s, émis par %[3]s"},
	"it is from %[1]s until %[2]s":    {"sie ist es vom %[1]s bis zum %[2]s", "lo está del %[1]s al %[2]s", "il l'est du %[1]s au %[2]s"},
	"it is from %[1]s":                {"sie ist es ab %[1]s", "lo está desde el %[1]s", "il l'est à partir du %[1]s"},
	"%[1]s, for %[2]s":                {"%[1]s, für %[2]s", "%[1]s, para %[2]s", "%[1]s, pour %[2]s"},
	"until %[1]s":                     {"bis %[1]s", "hasta %[1]s", "jusqu'à %[1]s"},
	"at %[1]s":                        {"um %[1]s", "el %[1]s", "le %[1]s"},
	"%[1]s, and the accord for %[2]s": {"%[1]s, und die Vereinbarung für %[2]s", "%[1]s, y el acuerdo para %[2]s", "%[1]s, et l'accord pour %[2]s"},
	"%[1]s, %[2]s and %[3]s":          {"%[1]s, %[2]s und %[3]s", "%[1]s, %[2]s y %[3]s", "%[1]s, %[2]s et %[3]s"},
	"%[1]s, and the ceiling is %[2]s": {"%[1]s, und die Obergrenze ist %[2]s", "%[1]s, y el techo es %[2]s", "%[1]s, et le plafond est %[2]s"},

	// a viewer's scope
	"the node itself follows its journal": {"der Knoten selbst folgt seinem Journal", "el propio nodo sigue su diario", "le nœud lui-même suit son journal"},
	"no scope was given":                  {"kein Geltungsbereich wurde angegeben", "no se dio ningún alcance", "aucune portée n'a été donnée"},
	"the viewer is of no organisation, of another realm than this node, or of an organisation that is given records under accords only": {
		"der Betrachter gehört zu keiner Organisation, zu einem anderen Bereich als dieser Knoten oder zu einer Organisation, die Datensätze nur unter Vereinbarungen erhält",
		"quien mira no es de ninguna organización, es de otro ámbito que este nodo, o de una organización que solo recibe registros por acuerdos",
		"celui qui regarde n'est d'aucune organisation, est d'un autre domaine que ce nœud, ou d'une organisation qui ne reçoit d'enregistrements que par accords"},
	"the record comes from the viewer's own organisation, which has its records whatever their label": {
		"der Datensatz kommt aus der eigenen Organisation des Betrachters, die ihre Datensätze hat, wie immer sie gekennzeichnet sind",
		"el registro viene de la propia organización de quien mira, que tiene sus registros sea cual sea su etiqueta",
		"l'enregistrement vient de la propre organisation de celui qui regarde, qui a ses enregistrements quelle que soit leur étiquette"},
	"the record's mode, %[1]s, is that of the realm %[2]s":                {"die Betriebsart des Datensatzes, %[1]s, ist die des Bereichs %[2]s", "el modo del registro, %[1]s, es el del ámbito %[2]s", "le mode de l'enregistrement, %[1]s, est celui du domaine %[2]s"},
	"the record's mode, %[1]s, is not that of the realm %[2]s":            {"die Betriebsart des Datensatzes, %[1]s, ist nicht die des Bereichs %[2]s", "el modo del registro, %[1]s, no es el del ámbito %[2]s", "le mode de l'enregistrement, %[1]s, n'est pas celui du domaine %[2]s"},
	"%[1]s does not reach %[2]s, but the audience names it":               {"%[1]s erreicht %[2]s nicht, aber der Empfängerkreis nennt es", "%[1]s no alcanza a %[2]s, pero la audiencia lo nombra", "%[1]s n'atteint pas %[2]s, mais l'audience le nomme"},
	"%[1]s reaches %[2]s here: %[3]s":                                     {"%[1]s erreicht %[2]s hier: %[3]s", "%[1]s alcanza aquí a %[2]s: %[3]s", "%[1]s atteint ici %[2]s : %[3]s"},
	"%[1]s does not reach %[2]s here: it reaches %[3]s":                   {"%[1]s erreicht %[2]s hier nicht, sondern nur: %[3]s", "%[1]s no alcanza aquí a %[2]s: alcanza a %[3]s", "%[1]s n'atteint pas ici %[2]s : il atteint %[3]s"},
	"every authenticated viewer":                                          {"jeder angemeldete Betrachter", "todo el que se ha autenticado", "quiconque s'est authentifié"},
	"the node's organisation, its clients and the community %[1]s":        {"die Organisation des Knotens, ihre Kunden und die Gemeinschaft %[1]s", "la organización del nodo, sus clientes y la comunidad %[1]s", "l'organisation du nœud, ses clients et la communauté %[1]s"},
	"the node's organisation and its clients, as no community is defined": {"die Organisation des Knotens und ihre Kunden, da keine Gemeinschaft bestimmt ist", "la organización del nodo y sus clientes, pues no hay comunidad definida", "l'organisation du nœud et ses clients, car aucune communauté n'est définie"},
	"the node's organisation and its clients":                             {"die Organisation des Knotens und ihre Kunden", "la organización del nodo y sus clientes", "l'organisation du nœud et ses clients"},
	"the node's organisation":                                             {"die Organisation des Knotens", "la organización del nodo", "l'organisation du nœud"},
	"only the originator and those whom it names":                         {"nur der Urheber und die er nennt", "solo el originador y quienes este nombra", "seulement l'émetteur et ceux qu'il nomme"},
	"the audience is not restricted further":                              {"der Empfängerkreis ist nicht weiter beschränkt", "la audiencia no está más restringida", "l'audience n'est pas plus restreinte"},
	"the viewer is in the audience":                                       {"der Betrachter gehört zum Empfängerkreis", "quien mira está en la audiencia", "celui qui regarde est dans l'audience"},
	"the viewer is not in the audience":                                   {"der Betrachter gehört nicht zum Empfängerkreis", "quien mira no está en la audiencia", "celui qui regarde n'est pas dans l'audience"},
	"the viewer's purposes meet the record's: %[1]s":                      {"die Zwecke des Betrachters und des Datensatzes treffen sich: %[1]s", "los fines de quien mira coinciden con los del registro: %[1]s", "les buts de celui qui regarde rejoignent ceux de l'enregistrement : %[1]s"},
	"the viewer's purposes (%[1]s) do not meet the record's (%[2]s)":      {"die Zwecke des Betrachters (%[1]s) treffen die des Datensatzes (%[2]s) nicht", "los fines de quien mira (%[1]s) no coinciden con los del registro (%[2]s)", "les buts de celui qui regarde (%[1]s) ne rejoignent pas ceux de l'enregistrement (%[2]s)"},
	"the record is not classified":                                        {"der Datensatz ist nicht eingestuft", "el registro no está clasificado", "l'enregistrement n'est pas classifié"},
	"%[1]s is cleared for %[2]s":                                          {"%[1]s ist für %[2]s ermächtigt", "%[1]s está habilitado para %[2]s", "%[1]s est habilité pour %[2]s"},
	"%[1]s is not cleared for %[2]s":                                      {"%[1]s ist für %[2]s nicht ermächtigt", "%[1]s no está habilitado para %[2]s", "%[1]s n'est pas habilité pour %[2]s"},
	"the record is for every sector":                                      {"der Datensatz ist für jede Branche", "el registro es para todo sector", "l'enregistrement est pour tout secteur"},
	"%[1]s serves a sector that the record is for":                        {"%[1]s dient einer Branche, für die der Datensatz ist", "%[1]s sirve a un sector para el que es el registro", "%[1]s sert un secteur pour lequel est l'enregistrement"},
	"%[1]s serves none of the sectors that the record is for":             {"%[1]s dient keiner Branche, für die der Datensatz ist", "%[1]s no sirve a ninguno de los sectores para los que es el registro", "%[1]s ne sert aucun des secteurs pour lesquels est l'enregistrement"},
	"the record needs no legal basis":                                     {"der Datensatz braucht keine Rechtsgrundlage", "el registro no necesita base legal", "l'enregistrement n'a besoin d'aucune base légale"},
	"every legal basis of the record is in force":                         {"jede Rechtsgrundlage des Datensatzes ist in Kraft", "toda base legal del registro está en vigor", "toute base légale de l'enregistrement est en vigueur"},
	"not every legal basis of the record is in force":                     {"nicht jede Rechtsgrundlage des Datensatzes ist in Kraft", "no toda base legal del registro está en vigor", "toute base légale de l'enregistrement n'est pas en vigueur"},
	"the record is under embargo until %[1]s":                             {"der Datensatz unterliegt einer Sperrfrist bis %[1]s", "el registro está bajo embargo hasta %[1]s", "l'enregistrement est sous embargo jusqu'à %[1]s"},
	"the record's retention ended at %[1]s":                               {"die Aufbewahrung des Datensatzes endete um %[1]s", "la retención del registro terminó el %[1]s", "la conservation de l'enregistrement a pris fin le %[1]s"},
	"the record is under no embargo and within its retention":             {"der Datensatz unterliegt keiner Sperrfrist und ist innerhalb seiner Aufbewahrung", "el registro no está bajo embargo y está dentro de su retención", "l'enregistrement n'est sous aucun embargo et est dans sa durée de conservation"},

	// what a holder observes
	"act on it only as the PAP permits":        {"handeln Sie nur, wie das PAP es erlaubt", "actúe solo como lo permita el PAP", "n'agissez que comme le PAP le permet"},
	"pass it on only as far as this goes":      {"geben Sie es nur so weit weiter, wie dies reicht", "transmítalo solo hasta donde esto llegue", "ne le transmettez qu'aussi loin que ceci va"},
	"name its source only as this permits":     {"nennen Sie die Quelle nur, wie dies es erlaubt", "nombre su fuente solo como esto lo permita", "ne nommez sa source que comme ceci le permet"},
	"destroy every copy when this comes about": {"vernichten Sie jede Kopie, wenn dies eintritt", "destruya toda copia cuando esto ocurra", "détruisez toute copie quand cela survient"},
	"look at it, keep no copy":                 {"sehen Sie es an, behalten Sie keine Kopie", "mírelo, no guarde copia", "regardez-le, n'en gardez pas de copie"},
	"use it for these purposes only":           {"nutzen Sie es nur für diese Zwecke", "úselo solo para estos fines", "ne l'utilisez que pour ces buts"},
	"serve it to these sectors only":           {"geben Sie es nur an diese Branchen", "sírvalo solo a estos sectores", "ne le servez qu'à ces secteurs"},
	"observe these caveats":                    {"beachten Sie diese Vorbehalte", "observe estas reservas", "observez ces réserves"},
	"destroy every copy by then":               {"vernichten Sie bis dahin jede Kopie", "destruya toda copia para entonces", "détruisez toute copie d'ici là"},
}
