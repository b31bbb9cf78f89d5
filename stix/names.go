package stix

import (
	"strings"

	"golang.org/x/net/idna"
)

// isDomain tells whether s is a domain name: labels of 1 to 63 characters, at most 253, internationalised ones as RFC 5890 allows.
// Underscores are let pass, as the domain name system does.
func isDomain(s string) bool {
	if s = strings.TrimSuffix(s, "."); len(s) > 1000 {
		return false
	}
	for i := range len(s) {
		if s[i] >= 0x80 {
			ascii, err := idna.Lookup.ToASCII(s)
			if err != nil {
				return false
			}
			s = ascii
			break
		}
	}
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i]; !isLower(c|0x20) && !isDigit(c) && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

// isEmail tells whether s has the outer form of an addr-spec (RFC 5322 3.4.1, RFC 6532): something, an at sign, a domain.
func isEmail(s string) bool {
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at == len(s)-1 || len(s) > 1000 {
		return false
	}
	local, domain := s[:at], s[at+1:]
	if !strings.HasPrefix(local, `"`) && strings.ContainsAny(local, " <>()[],;:\\\"\t\r\n@") {
		return false
	}
	return isDomain(domain) || strings.HasPrefix(domain, "[") && strings.HasSuffix(domain, "]")
}

// countries is the codes of ISO 3166-1 alpha-2.
var countries = wordSet(`ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bl bm bn bo bq br bs bt bv bw by bz ca cc cd
	cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg eh er es et fi fj fk fm fo fr ga gb gd ge gf gg gh gi gl gm gn
	gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls
	lt lu lv ly ma mc md me mf mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk
	pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sj sk sl sm sn so sr ss st sv sx sy sz tc td tf tg th tj tk tl tm tn to
	tr tt tv tw tz ua ug um us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw`)

func isCountry(b []byte) bool {
	_, known := countries[strings.ToLower(string(b))]
	return known
}
