package federation

import (
	"strings"

	"entente/accord"
	"entente/internal/gate"
)

// In is what was judged, with its sentences in one of accord.Languages; in any other they are English.
func (j Judged) In(lang string) Judged {
	j.Reasons = gate.ReasonsIn(lang, j.Reasons)
	j.Why = why(lang, j.Why)
	if j.Changes != nil {
		j.Changes = accord.ChangesIn(lang, j.Changes)
	}
	if j.Before != nil {
		before := j.Before.In(lang)
		j.Before = &before
	}
	return j
}

func why(lang, sentence string) string {
	for _, begins := range [...]string{invalid, undefined, barring, lacking} {
		if about, ok := strings.CutPrefix(sentence, begins); ok {
			if id, more, ok := strings.Cut(about, ": "); ok && begins == lacking {
				about = id + ": " + why(lang, more)
			}
			return phrases.Say(lang, accord.Phrase{Form: begins}) + about
		}
	}
	if sentence == "" {
		return ""
	}
	return phrases.Say(lang, accord.Phrase{Form: sentence})
}

// phrases are why something is withheld though the clauses permit it, by the English form.
var phrases = accord.Phrasebook{
	invalid: {"was übrig bleibt, ist kein gültiges STIX: ", "lo que queda no es STIX válido: ", "ce qui reste n'est pas du STIX valide : "},
	"it is to be looked at and not kept, and the party fetches by TAXII, where whoever fetches keeps": {
		"es soll angesehen und nicht behalten werden, und die Partei holt über TAXII ab, wo behält, wer abholt",
		"es para mirarlo y no guardarlo, y la parte lo recoge por TAXII, donde quien recoge guarda",
		"c'est à regarder et non à garder, et la partie vient le chercher par TAXII, où qui vient chercher garde"},
	"it is kept here in spite of its errors, and such goes nowhere":          {"es wird hier trotz seiner Fehler aufbewahrt, und solches geht nirgendwohin", "se guarda aquí a pesar de sus errores, y eso no va a ninguna parte", "c'est gardé ici malgré ses erreurs, et cela ne va nulle part"},
	"its originator took it back: what was taken back does not go out again": {"sein Urheber hat es zurückgenommen: was zurückgenommen ist, geht nicht noch einmal hinaus", "su originador lo retiró: lo retirado no vuelve a salir", "son émetteur l'a repris : ce qui est repris ne ressort pas"},
	"it names an object of which a reduced copy went out to others than those whom this copy would be for": {
		"es nennt ein Objekt, von dem eine reduzierte Kopie an andere ging als die, für die diese Kopie wäre",
		"nombra un objeto del que salió una copia reducida para otros que aquellos para quienes sería esta copia",
		"il nomme un objet dont une copie réduite est allée à d'autres que ceux pour qui serait cette copie"},
	undefined: {
		"die Definition seiner Markierung ist nicht hier, sodass keine Partei sie lesen könnte: ",
		"la definición de su marca no está aquí, así que ninguna parte podría leerla: ",
		"la définition de son marquage n'est pas ici, si bien qu'aucune partie ne pourrait le lire : "},
	barring: {
		"das Abkommen lässt die Definition seiner Markierung nicht mitgehen: ",
		"el acuerdo no deja que la definición de su marca vaya con él: ",
		"l'accord ne laisse pas la définition de son marquage l'accompagner : "},
	lacking: {
		"die Definition seiner Markierung kann nicht mitgehen: ",
		"la definición de su marca no puede ir con él: ",
		"la définition de son marquage ne peut pas l'accompagner : "},
	unsaid: {
		"was eine Freigabestelle unterschrieben hat, ist nicht dies oder zählt nicht mehr",
		"lo que firmó un responsable de difusión no es esto, o ya no cuenta",
		"ce qu'un responsable de diffusion a signé n'est pas ceci, ou ne compte plus"},
	"an object of STIX 2.0 goes as it is or not at all, and this could not go as it is: upgrade it to STIX 2.1 first": {
		"ein Objekt von STIX 2.0 geht, wie es ist, oder gar nicht, und dieses könnte nicht gehen, wie es ist: heben Sie es zuerst auf STIX 2.1 an",
		"un objeto de STIX 2.0 sale tal como es o no sale, y este no podría salir tal como es: actualícelo antes a STIX 2.1",
		"un objet STIX 2.0 part tel quel ou pas du tout, et celui-ci ne pourrait pas partir tel quel : mettez-le d'abord à niveau vers STIX 2.1"},
	"objects of its type are taken out":      {"Objekte seiner Art werden entfernt", "los objetos de su tipo se quitan", "les objets de son type sont retirés"},
	"the audience may not have the object":   {"der Empfängerkreis darf das Objekt nicht haben", "la audiencia no puede tener el objeto", "l'audience ne peut pas avoir l'objet"},
	"the pattern is about what is taken out": {"das Muster handelt von dem, was entfernt wird", "el patrón trata de lo que se quita", "le motif porte sur ce qui est retiré"},
	"more selectors than can be followed in an object of this size": {
		"mehr Selektoren, als in einem Objekt dieser Größe verfolgt werden können", "más selectores de los que pueden seguirse en un objeto de este tamaño", "plus de sélecteurs qu'on ne peut en suivre dans un objet de cette taille"},
	"a marking that the audience may not have chooses nothing that is there, so that what it hides is not known": {
		"eine Markierung, die der Empfängerkreis nicht haben darf, wählt nichts aus, was da ist, sodass nicht bekannt ist, was sie verbirgt",
		"una marca que la audiencia no puede tener no elige nada de lo que hay, así que no se sabe qué oculta",
		"un marquage que l'audience ne peut pas avoir ne choisit rien de ce qui est là, si bien qu'on ne sait pas ce qu'il cache"},
	"more is wrong with the object than can be told":        {"mit dem Objekt ist mehr falsch, als gesagt werden kann", "hay más errores en el objeto de los que pueden decirse", "l'objet a plus d'erreurs qu'on ne peut en dire"},
	"identities are taken out":                              {"Identitäten werden entfernt", "las identidades se quitan", "les identités sont retirées"},
	"this is not a time":                                    {"das ist keine Zeit", "esto no es una hora", "ceci n'est pas une heure"},
	"no object is without an id and a type":                 {"kein Objekt ist ohne id und type", "ningún objeto carece de id y type", "aucun objet n'est sans id ni type"},
	"the text holds a word that the audience must not have": {"der Text enthält ein Wort, das der Empfängerkreis nicht haben darf", "el texto contiene una palabra que la audiencia no debe tener", "le texte contient un mot que l'audience ne doit pas avoir"},
	"the text names an object that the audience has not, or has under another id": {
		"der Text nennt ein Objekt, das der Empfängerkreis nicht hat oder unter einer anderen id hat",
		"el texto nombra un objeto que la audiencia no tiene, o tiene con otro id",
		"le texte nomme un objet que l'audience n'a pas, ou a sous un autre id"},
	"there is more text than can be searched for all that is hidden": {"es ist mehr Text da, als nach allem Verborgenen durchsucht werden kann", "hay más texto del que puede examinarse en busca de todo lo oculto", "il y a plus de texte qu'on ne peut en fouiller pour tout ce qui est caché"},
}
