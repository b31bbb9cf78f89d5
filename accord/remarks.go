package accord

// remarks are all that Check and Diff say, by the English form, in the order of Languages after English.
var remarks = Phrasebook{
	// Check: the term and the version
	"the accord ends on %[1]s, before it begins on %[2]s":                                    {"die Vereinbarung endet am %[1]s, bevor sie am %[2]s beginnt", "el acuerdo termina el %[1]s, antes de empezar el %[2]s", "l'accord prend fin le %[1]s, avant de commencer le %[2]s"},
	"the review on %[1]s comes when the accord has ended":                                    {"die Überprüfung am %[1]s kommt, wenn die Vereinbarung schon geendet hat", "la revisión del %[1]s llega cuando el acuerdo ya ha terminado", "le réexamen du %[1]s vient quand l'accord a déjà pris fin"},
	"the accord has ended on %[1]s":                                                          {"die Vereinbarung hat am %[1]s geendet", "el acuerdo terminó el %[1]s", "l'accord a pris fin le %[1]s"},
	"exercise %[1]s, %[2]s to %[3]s, is not within the accord's own term":                    {"Übung %[1]s, %[2]s bis %[3]s, liegt nicht in der Laufzeit der Vereinbarung", "el ejercicio %[1]s, del %[2]s al %[3]s, no cae dentro del plazo del acuerdo", "l'exercice %[1]s, du %[2]s au %[3]s, n'est pas dans la durée de l'accord"},
	"version 1 supersedes nothing: leave supersedes out, or give the version its number":     {"Fassung 1 ersetzt nichts: lassen Sie supersedes weg, oder geben Sie der Fassung ihre Nummer", "la versión 1 no sustituye a nada: quite supersedes, o dé a la versión su número", "la version 1 ne remplace rien : enlevez supersedes, ou donnez à la version son numéro"},
	"version %[1]d does not say which text it supersedes: write the digest of version %[2]d": {"Fassung %[1]d sagt nicht, welchen Text sie ersetzt: schreiben Sie die Prüfsumme von Fassung %[2]d", "la versión %[1]d no dice qué texto sustituye: escriba el resumen de la versión %[2]d", "la version %[1]d ne dit pas quel texte elle remplace : écrivez l'empreinte de la version %[2]d"},
	"the version before is of accord %[1]s, not %[2]s":                                       {"die Fassung davor gehört zur Vereinbarung %[1]s, nicht %[2]s", "la versión anterior es del acuerdo %[1]s, no de %[2]s", "la version précédente est de l'accord %[1]s, non de %[2]s"},
	"this is version %[1]d, and the version before is %[2]d: write %[3]d":                    {"dies ist Fassung %[1]d, und die davor ist %[2]d: schreiben Sie %[3]d", "esta es la versión %[1]d y la anterior es la %[2]d: escriba %[3]d", "ceci est la version %[1]d et la précédente est la %[2]d : écrivez %[3]d"},
	"the version before has the digest %[1]s":                                                {"die Fassung davor hat die Prüfsumme %[1]s", "la versión anterior tiene el resumen %[1]s", "la version précédente a l'empreinte %[1]s"},
	"a digest is still %[1]q: nobody can sign the text before it is filled in":               {"eine Prüfsumme ist noch %[1]q: niemand kann den Text unterzeichnen, ehe sie eingesetzt ist", "un resumen es todavía %[1]q: nadie puede firmar el texto antes de que se rellene", "une empreinte est encore %[1]q : personne ne peut signer le texte avant qu'elle soit remplie"},

	// the parties
	"an accord has at least two parties":                                                 {"eine Vereinbarung hat mindestens zwei Parteien", "un acuerdo tiene al menos dos partes", "un accord a au moins deux parties"},
	"register %[1]s says who the parties are: they are written out before anybody signs": {"Register %[1]s sagt, wer die Parteien sind: sie werden ausgeschrieben, bevor jemand unterzeichnet", "el registro %[1]s dice quiénes son las partes: se escriben antes de que nadie firme", "le registre %[1]s dit qui sont les parties : elles sont écrites avant que quiconque signe"},
	"%[1]s needs %[2]d signatures, and only %[3]d may sign: nobody can bind it":          {"%[1]s braucht %[2]d Unterschriften, und nur %[3]d dürfen unterzeichnen: niemand kann es binden", "%[1]s necesita %[2]d firmas y solo %[3]d pueden firmar: nadie puede vincularlo", "%[1]s a besoin de %[2]d signatures et seules %[3]d peuvent signer : personne ne peut le lier"},
	"%[1]s is bound for %[2]s without a signature of its own":                            {"%[1]s ist für %[2]s gebunden, ohne selbst zu unterzeichnen", "%[1]s queda vinculada por %[2]s sin firma propia", "%[1]s est liée pour %[2]s sans signature propre"},
	"an accord of an exercise lists no exercise of its own: %[1]s":                       {"die Vereinbarung einer Übung führt keine eigene Übung auf: %[1]s", "el acuerdo de un ejercicio no incluye ejercicio propio: %[1]s", "l'accord d'un exercice ne contient pas d'exercice propre : %[1]s"},
	"%[1]s is no party of this accord":                                                   {"%[1]s ist keine Partei dieser Vereinbarung", "%[1]s no es parte de este acuerdo", "%[1]s n'est pas partie à cet accord"},
	"authority %[1]s lapses on %[2]s, before the accord begins: %[3]s never flows":       {"Rechtsgrundlage %[1]s erlischt am %[2]s, bevor die Vereinbarung beginnt: nie fließt %[3]s", "la base legal %[1]s caduca el %[2]s, antes de que empiece el acuerdo: nunca fluye %[3]s", "la base légale %[1]s expire le %[2]s, avant que l'accord commence : %[3]s ne circule jamais"},
	"authority %[1]s lapses on %[2]s, before the accord ends: %[3]s stops then":          {"Rechtsgrundlage %[1]s erlischt am %[2]s, bevor die Vereinbarung endet: dann endet %[3]s", "la base legal %[1]s caduca el %[2]s, antes de que termine el acuerdo: entonces cesa %[3]s", "la base légale %[1]s expire le %[2]s, avant la fin de l'accord : alors cesse %[3]s"},
	"authority %[1]s covers %[2]s, which nobody gives":                                   {"Rechtsgrundlage %[1]s trägt %[2]s, was niemand gibt", "la base legal %[1]s cubre %[2]s, que nadie da", "la base légale %[1]s couvre %[2]s, que personne ne donne"},
	"every flow":       {"jeder Fluss", "todo flujo", "tout flux"},
	"%[1]s from %[2]s": {"%[1]s aus %[2]s", "%[1]s de %[2]s", "%[1]s de %[2]s"},

	// purposes and scope
	"never takes every purpose back: nothing may be given for none": {"never nimmt jeden Zweck zurück: für keinen darf etwas gegeben werden", "never retira todos los fines: nada puede darse para ninguno", "never retire tous les buts : rien ne peut être donné pour aucun"},
	"%[1]s stands in purpose and in never: never holds":             {"%[1]s steht in purpose und in never: never gilt", "%[1]s está en purpose y en never: vale never", "%[1]s est dans purpose et dans never : never l'emporte"},
	"the community is not defined, so TLP:GREEN of give %[1]s has no bound that both sides share: write scope { community = parties }, or GREEN is given by name only": {
		"die Gemeinschaft ist nicht bestimmt, also hat TLP:GREEN der Klausel %[1]s keine Grenze, die beide Seiten teilen: schreiben Sie scope { community = parties }, sonst wird GREEN nur namentlich gegeben",
		"la comunidad no está definida, así que TLP:GREEN de la cláusula %[1]s no tiene límite común: escriba scope { community = parties }, o GREEN se da solo nominalmente",
		"la communauté n'est pas définie, donc TLP:GREEN de la clause %[1]s n'a pas de limite commune : écrivez scope { community = parties }, sinon GREEN n'est donné que nommément"},
	"the organisation and the clients of TLP:AMBER are not defined: nobody beside the receiving organisation may have it": {
		"die Organisation und die Kunden von TLP:AMBER sind nicht bestimmt: niemand außer der empfangenden Organisation darf es haben",
		"la organización y los clientes de TLP:AMBER no están definidos: nadie salvo la organización receptora puede tenerlo",
		"l'organisation et les clients de TLP:AMBER ne sont pas définis : personne hors l'organisation qui reçoit ne peut l'avoir"},

	// gives
	"nobody gives anything: the accord lets nothing flow":                       {"niemand gibt etwas: die Vereinbarung lässt nichts fließen", "nadie da nada: el acuerdo no deja fluir nada", "personne ne donne rien : l'accord ne laisse rien circuler"},
	"give %[1]s is from %[2]s to itself: nobody receives anything by it":        {"Klausel %[1]s geht von %[2]s an sich selbst: niemand erhält etwas durch sie", "la cláusula %[1]s va de %[2]s a sí mismo: nadie recibe nada por ella", "la clause %[1]s va de %[2]s à lui-même : personne ne reçoit rien par elle"},
	"%[1]s is no kind that is known: nothing of it flows until it is":           {"%[1]s ist keine bekannte Art: nichts davon fließt, bis sie es ist", "%[1]s no es un tipo conocido: nada de él fluye hasta que lo sea", "%[1]s n'est pas un type connu : rien n'en circule tant qu'il ne l'est pas"},
	"%[1]s strips nothing: %[2]s is no kind that is known":                      {"%[1]s entfernt nichts: %[2]s ist keine bekannte Art", "%[1]s no quita nada: %[2]s no es un tipo conocido", "%[1]s ne retire rien : %[2]s n'est pas un type connu"},
	"give %[1]s goes up to %[2]s, and %[3]s is cleared up to %[4]s":             {"Klausel %[1]s reicht bis %[2]s, und %[3]s ist bis %[4]s ermächtigt", "la cláusula %[1]s llega hasta %[2]s, y %[3]s está habilitado hasta %[4]s", "la clause %[1]s va jusqu'à %[2]s, et %[3]s est habilité jusqu'à %[4]s"},
	"give %[1]s has no effect: give %[2]s gives all of this":                    {"Klausel %[1]s hat keine Wirkung: Klausel %[2]s gibt all das", "la cláusula %[1]s no tiene efecto: la cláusula %[2]s da todo esto", "la clause %[1]s est sans effet : la clause %[2]s donne tout cela"},
	"give %[1]s has no effect: give %[2]s gives all of this, and without %[3]s": {"Klausel %[1]s hat keine Wirkung: Klausel %[2]s gibt all das, und ohne %[3]s", "la cláusula %[1]s no tiene efecto: la cláusula %[2]s da todo esto, y sin %[3]s", "la clause %[1]s est sans effet : la clause %[2]s donne tout cela, et sans %[3]s"},
	"TLP:RED is for persons by name: write persons = \"register:NAME\", or a ceiling of AMBER-STRICT": {
		"TLP:RED ist für Personen mit Namen: schreiben Sie persons = \"register:NAME\", oder AMBER-STRICT als Obergrenze",
		"TLP:RED es para personas por su nombre: escriba persons = \"register:NAME\", o un techo de AMBER-STRICT",
		"TLP:RED est pour des personnes nommées : écrivez persons = \"register:NAME\", ou un plafond AMBER-STRICT"},
	"the release officer":     {"den Freigabebeauftragten", "el oficial de liberación", "l'officier de diffusion"},
	"what it strips":          {"was sie entfernt", "lo que quita", "ce qu'elle retire"},
	"whom it makes anonymous": {"wen sie ungenannt lässt", "a quién deja en el anonimato", "qui elle rend anonyme"},
	"its persons":             {"ihre Personen", "sus personas", "ses personnes"},
	"its audience":            {"ihren Empfängerkreis", "su audiencia", "son audience"},
	"its access":              {"ihre Art des Zugangs", "su acceso", "son accès"},
	"%[1]s gives %[2]s what it does not get from there: %[3]s": {"%[1]s gibt %[2]s, was es von dort nicht erhält: %[3]s", "%[1]s da a %[2]s lo que no recibe de allí: %[3]s", "%[1]s donne à %[2]s ce qu'il n'en reçoit pas : %[3]s"},

	// handling
	"what comes without a TLP would be public: write a stricter default":                                         {"was ohne TLP kommt, wäre öffentlich: schreiben Sie eine strengere Vorgabe", "lo que llega sin TLP sería público: escriba un valor por defecto más estricto", "ce qui vient sans TLP serait public : écrivez un défaut plus strict"},
	"what has no TLP counts as %[1]s, which is above every ceiling: it is never given":                           {"was kein TLP hat, gilt als %[1]s, und das liegt über jeder Obergrenze: es wird nie gegeben", "lo que no tiene TLP cuenta como %[1]s, por encima de todo techo: nunca se da", "ce qui n'a pas de TLP compte comme %[1]s, au-dessus de tout plafond : ce n'est jamais donné"},
	"nothing bounds how long a receiver keeps what it got: write retain":                                         {"nichts begrenzt, wie lange ein Empfänger behält, was er erhielt: schreiben Sie retain", "nada limita cuánto tiempo conserva un receptor lo que recibió: escriba retain", "rien ne limite le temps pendant lequel un destinataire garde ce qu'il a reçu : écrivez retain"},
	"retain-kind names %[1]s, which nobody gives":                                                                {"retain-kind nennt %[1]s, was niemand gibt", "retain-kind nombra %[1]s, que nadie da", "retain-kind nomme %[1]s, que personne ne donne"},
	"what came is kept for %[1]s, which is shorter than the %[2]s within which it is to be destroyed at the end": {"was kam, wird %[1]s behalten, kürzer als die %[2]s, in denen es am Ende zu vernichten ist", "lo recibido se guarda %[1]s, menos que los %[2]s en que debe destruirse al final", "ce qui est venu est gardé %[1]s, moins que les %[2]s dans lesquels il doit être détruit à la fin"},
	"onward goes to clients, and scope names none":                                                               {"onward geht an Kunden, und scope nennt keine", "onward va a los clientes, y scope no nombra ninguno", "onward va aux clients, et scope n'en nomme aucun"},
	"consent-timeout has no effect without onward = consent":                                                     {"consent-timeout hat ohne onward = consent keine Wirkung", "consent-timeout no tiene efecto sin onward = consent", "consent-timeout est sans effet sans onward = consent"},
	"no consent-timeout: a question that nobody answers stays open, and nothing is passed on":                    {"kein consent-timeout: eine Frage, die niemand beantwortet, bleibt offen, und nichts wird weitergegeben", "sin consent-timeout: una pregunta que nadie responde queda abierta, y nada se transmite", "pas de consent-timeout : une question sans réponse reste ouverte, et rien n'est transmis"},
	"onward goes to the community, which scope does not define":                                                  {"onward geht an die Gemeinschaft, die scope nicht bestimmt", "onward va a la comunidad, que scope no define", "onward va à la communauté, que scope ne définit pas"},
	"onward = free would let what give %[1]s gives go to anybody, as far as its TLP lets it":                     {"onward = free ließe, was Klausel %[1]s gibt, an jeden gehen, so weit sein TLP reicht", "onward = free dejaría ir a cualquiera lo que da la cláusula %[1]s, hasta donde lo permita su TLP", "onward = free laisserait aller à quiconque ce que donne la clause %[1]s, autant que son TLP le permet"},
	"onward = %[1]s is looser than in accord %[2]s, which this one derives from (%[3]s)":                         {"onward = %[1]s ist lockerer als in der Vereinbarung %[2]s, von der diese abgeleitet ist (%[3]s)", "onward = %[1]s es más laxo que en el acuerdo %[2]s, del que deriva este (%[3]s)", "onward = %[1]s est plus lâche que dans l'accord %[2]s, dont celui-ci dérive (%[3]s)"},
	"reciprocity counts %[1]s, which nobody gives":                                                               {"reciprocity zählt %[1]s, was niemand gibt", "reciprocity cuenta %[1]s, que nadie da", "reciprocity compte %[1]s, que personne ne donne"},
	"the flow stops as soon as too little came back: suspend-after would leave time":                             {"der Fluss endet, sobald zu wenig zurückkam: suspend-after ließe Zeit", "el flujo se detiene en cuanto vuelve demasiado poco: suspend-after daría tiempo", "le flux s'arrête dès qu'il revient trop peu : suspend-after laisserait du temps"},
	"suspend-after is shorter than within: the flow would stop before anything is due":                           {"suspend-after ist kürzer als within: der Fluss endete, bevor etwas fällig ist", "suspend-after es más corto que within: el flujo se detendría antes de que nada venza", "suspend-after est plus court que within : le flux s'arrêterait avant que rien ne soit dû"},

	// decisions and leaving
	"%[1]d parties must propose, and there are %[2]d":            {"%[1]d Parteien müssen vorschlagen, und es gibt %[2]d", "deben proponer %[1]d partes, y hay %[2]d", "%[1]d parties doivent proposer, et il y en a %[2]d"},
	"%[1]d parties must consent, and there are %[2]d":            {"%[1]d Parteien müssen zustimmen, und es gibt %[2]d", "deben consentir %[1]d partes, y hay %[2]d", "%[1]d parties doivent consentir, et il y en a %[2]d"},
	"%[1]d parties must say yes themselves, and there are %[2]d": {"%[1]d Parteien müssen selbst ja sagen, und es gibt %[2]d", "%[1]d partes deben decir sí por sí mismas, y hay %[2]d", "%[1]d parties doivent dire oui elles-mêmes, et il y en a %[2]d"},
	"between two parties, one decides about the other alone":     {"zwischen zwei Parteien entscheidet eine allein über die andere", "entre dos partes, una decide sola sobre la otra", "entre deux parties, l'une décide seule de l'autre"},
	"unreachable = abstains has no effect on consent = %[1]s: who abstains does not consent, and each must": {
		"unreachable = abstains hat keine Wirkung auf consent = %[1]s: wer sich enthält, stimmt nicht zu, und jede muss",
		"unreachable = abstains no tiene efecto sobre consent = %[1]s: quien se abstiene no consiente, y cada una debe",
		"unreachable = abstains est sans effet sur consent = %[1]s : qui s'abstient ne consent pas, et chacune le doit"},
	"veto has no effect on consent = %[1]s: the veto of any party decides": {
		"veto hat keine Wirkung auf consent = %[1]s: das Veto jeder Partei entscheidet",
		"veto no tiene efecto sobre consent = %[1]s: decide el veto de cualquier parte",
		"veto est sans effet sur consent = %[1]s : le veto de toute partie décide"},
	"silence is consent, and who cannot be reached abstains: few could decide for all":         {"Schweigen ist Zustimmung, und wer nicht erreichbar ist, enthält sich: wenige könnten für alle entscheiden", "el silencio es consentimiento y quien es inalcanzable se abstiene: pocas podrían decidir por todas", "le silence vaut consentement et qui est injoignable s'abstient : peu pourraient décider pour toutes"},
	"weights have no effect on consent = %[1]s: write a share, \"75%%\"":                       {"weights haben keine Wirkung auf consent = %[1]s: schreiben Sie einen Anteil, \"75%%\"", "weights no tiene efecto sobre consent = %[1]s: escriba una parte, \"75%%\"", "weights est sans effet sur consent = %[1]s : écrivez une part, \"75%%\""},
	"the accord never expires, and nobody can end it or leave it: write terminate or withdraw": {"die Vereinbarung endet nie, und niemand kann sie beenden oder verlassen: schreiben Sie terminate oder withdraw", "el acuerdo no vence nunca, y nadie puede terminarlo ni dejarlo: escriba terminate o withdraw", "l'accord n'expire jamais, et personne ne peut y mettre fin ni le quitter : écrivez terminate ou withdraw"},
	"nobody may suspend the accord: write suspend { by = any-party }":                          {"niemand darf die Vereinbarung aussetzen: schreiben Sie suspend { by = any-party }", "nadie puede suspender el acuerdo: escriba suspend { by = any-party }", "personne ne peut suspendre l'accord : écrivez suspend { by = any-party }"},

	// Diff
	"the accord is %[1]s, before %[2]s":                 {"die Vereinbarung ist %[1]s, zuvor %[2]s", "el acuerdo es %[1]s, antes %[2]s", "l'accord est %[1]s, avant %[2]s"},
	"%[1]s now also has %[2]s":                          {"%[1]s hat jetzt auch %[2]s", "%[1]s tiene ahora también %[2]s", "%[1]s a maintenant aussi %[2]s"},
	"%[1]s no longer has %[2]s":                         {"%[1]s hat nicht mehr %[2]s", "%[1]s ya no tiene %[2]s", "%[1]s n'a plus %[2]s"},
	"%[1]s now also has %[2]s and no longer has %[3]s":  {"%[1]s hat jetzt auch %[2]s und nicht mehr %[3]s", "%[1]s tiene ahora también %[2]s y ya no tiene %[3]s", "%[1]s a maintenant aussi %[2]s et n'a plus %[3]s"},
	"%[1]s has another order":                           {"%[1]s hat eine andere Reihenfolge", "%[1]s tiene otro orden", "%[1]s a un autre ordre"},
	"%[1]s is now %[2]s, before nothing was said":       {"%[1]s ist jetzt %[2]s, zuvor war nichts gesagt", "%[1]s es ahora %[2]s, antes no se decía nada", "%[1]s est maintenant %[2]s, avant rien n'était dit"},
	"%[1]s is no longer said, before it was %[2]s":      {"%[1]s ist nicht mehr gesagt, zuvor war es %[2]s", "%[1]s ya no se dice, antes era %[2]s", "%[1]s n'est plus dit, avant c'était %[2]s"},
	"%[1]s is now %[2]s, before %[3]s":                  {"%[1]s ist jetzt %[2]s, zuvor %[3]s", "%[1]s es ahora %[2]s, antes %[3]s", "%[1]s est maintenant %[2]s, avant %[3]s"},
	"%[1]s is gone":                                     {"%[1]s ist weg", "%[1]s desaparece", "%[1]s disparaît"},
	"%[1]s is new: %[2]s":                               {"%[1]s ist neu: %[2]s", "%[1]s es nuevo: %[2]s", "%[1]s est nouveau : %[2]s"},
	"the blocks of %[1]s stand in another order: %[2]s": {"die Blöcke von %[1]s stehen in anderer Reihenfolge: %[2]s", "los bloques de %[1]s están en otro orden: %[2]s", "les blocs de %[1]s sont dans un autre ordre : %[2]s"},
	"every party":                                       {"jede Partei", "todas las partes", "chaque partie"},
	"every other party":                                 {"jeder anderen Partei", "todas las demás partes", "toutes les autres parties"},
	"this amendment lets %[1]s additionally receive %[2]s up to %[3]s from %[4]s": {
		"mit dieser Änderung erhält zusätzlich %[1]s: %[2]s bis %[3]s, von %[4]s",
		"con esta enmienda recibe además %[1]s: %[2]s hasta %[3]s, de %[4]s",
		"par cet avenant reçoit en plus %[1]s : %[2]s jusqu'à %[3]s, de %[4]s"},
	"after this amendment %[1]s can no longer receive %[2]s from %[3]s": {
		"nach dieser Änderung erhält nicht mehr %[1]s: %[2]s von %[3]s",
		"tras esta enmienda ya no recibe %[1]s: %[2]s de %[3]s",
		"après cet avenant ne reçoit plus %[1]s : %[2]s de %[3]s"},
	"this amendment lets %[1]s receive %[2]s from %[3]s up to %[4]s, before up to %[5]s": {
		"mit dieser Änderung erhält %[1]s: %[2]s von %[3]s bis %[4]s, zuvor bis %[5]s",
		"con esta enmienda recibe %[1]s: %[2]s de %[3]s hasta %[4]s, antes hasta %[5]s",
		"par cet avenant reçoit %[1]s : %[2]s de %[3]s jusqu'à %[4]s, avant jusqu'à %[5]s"},
	"after this amendment %[1]s can receive %[2]s from %[3]s only up to %[4]s, before up to %[5]s": {
		"nach dieser Änderung erhält %[1]s: %[2]s von %[3]s nur noch bis %[4]s, zuvor bis %[5]s",
		"tras esta enmienda recibe %[1]s: %[2]s de %[3]s solo hasta %[4]s, antes hasta %[5]s",
		"après cet avenant reçoit %[1]s : %[2]s de %[3]s seulement jusqu'à %[4]s, avant jusqu'à %[5]s"},
}
