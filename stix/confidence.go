package stix

import "strings"

// A Scale is one of the confidence scales that the standard maps its 0 to 100 to (appendix A).
type Scale uint8

// The scales of appendix A.
const (
	ScaleLevels    Scale = iota // None, Low, Med, High
	ScaleTen                    // 0 to 10
	ScaleAdmiralty              // credibility 5 to 1; 6, which cannot be judged, is no confidence
	ScaleWEP                    // words of estimative probability
	ScaleDNI                    // the intelligence community's likelihoods (ICD 203)
)

// A step is one value of a scale: the range of confidence that is shown as it, and the confidence it stands for.
type step struct {
	term        string
	low, high   int
	stixMeaning int
}

var scales = [...][]step{
	ScaleLevels: {{"None", 0, 0, 0}, {"Low", 1, 29, 15}, {"Med", 30, 69, 50}, {"High", 70, 100, 85}},
	ScaleTen: {{"0", 0, 4, 0}, {"1", 5, 14, 10}, {"2", 15, 24, 20}, {"3", 25, 34, 30}, {"4", 35, 44, 40}, {"5", 45, 54, 50}, {"6", 55, 64, 60},
		{"7", 65, 74, 70}, {"8", 75, 84, 80}, {"9", 85, 94, 90}, {"10", 95, 100, 100}},
	ScaleAdmiralty: {{"5 - Improbable", 0, 19, 10}, {"4 - Doubtful", 20, 39, 30}, {"3 - Possibly True", 40, 59, 50}, {"2 - Probably True", 60, 79, 70},
		{"1 - Confirmed by other sources", 80, 100, 90}},
	ScaleWEP: {{"Impossible", 0, 0, 0}, {"Highly Unlikely/Almost Certainly Not", 1, 19, 10}, {"Unlikely/Probably Not", 20, 39, 30},
		{"Even Chance", 40, 59, 50}, {"Likely/Probable", 60, 79, 70}, {"Highly likely/Almost Certain", 80, 99, 90}, {"Certain", 100, 100, 100}},
	ScaleDNI: {{"Almost No Chance / Remote", 0, 9, 5}, {"Very Unlikely / Highly Improbable", 10, 19, 15}, {"Unlikely / Improbable", 20, 39, 30},
		{"Roughly Even Chance / Roughly Even Odds", 40, 59, 50}, {"Likely / Probable", 60, 79, 70}, {"Very Likely / Highly Probable", 80, 89, 85},
		{"Almost Certain / Nearly Certain", 90, 100, 95}},
}

// Confidence is the object's confidence, 0 to 100; ok is false where it has none that is in this range.
func (o *Object) Confidence() (n int, ok bool) {
	v, ok := o.root().get("confidence").integer()
	if !ok || v < 0 || v > 100 {
		return 0, false
	}
	return int(v), true
}

// Term is how a confidence of 0 to 100 is shown on the scale, "" for any other number.
func (s Scale) Term(confidence int) string {
	if int(s) >= len(scales) {
		return ""
	}
	for _, step := range scales[s] {
		if confidence >= step.low && confidence <= step.high {
			return step.term
		}
	}
	return ""
}

// Confidence is the number that a term of the scale stands for; ok is false where it is none.
func (s Scale) Confidence(term string) (n int, ok bool) {
	if int(s) >= len(scales) {
		return 0, false
	}
	for _, step := range scales[s] {
		if strings.EqualFold(step.term, strings.TrimSpace(term)) {
			return step.stixMeaning, true
		}
	}
	return 0, false
}
