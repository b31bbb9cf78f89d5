package node

import "entente/sensor"

// sensorScript asks for sensors and what they met, which are nobody's but the own organisation's, and speaks to the node as if it were a sensor.
func sensorScript(reading, changing leakScript) {
	const base = "/api/v1"
	asks := func(method, body string, paths ...string) func(*session) {
		return func(s *session) {
			for _, p := range paths {
				s.ask(method, p, body)
			}
		}
	}
	ids := []string{base + "/sensors/" + hiddenAccount, base + "/sensors/edge", base + "/sensors/nonsense"}
	reading["api GET /sensors"] = asks("GET", "", base+"/sensors", base+"/sensors?all=true", base+"/sensors?all=perhaps")
	reading["api GET /sensors/{id}"] = asks("GET", "", ids...)
	reading["api GET /detections"] = asks("GET", "", base+"/detections", base+"/detections?value=evil.example", base+"/detections?since=never", base+"/detections?day=2026-01-01", base+"/detections?limit=0", base+"/detections?sensor="+hiddenAccount)
	reading["api GET /detections/days"] = asks("GET", "", base+"/detections/days", base+"/detections/days?value=evil.example&from=2026-01-01&to=2026-01-31", base+"/detections/days?to=never", base+"/detections/days?sensor="+hiddenAccount)
	reading["api GET /detections/tables"] = asks("GET", "", base+"/detections/tables")
	reading["api GET /detections/left"] = asks("GET", "", base+"/detections/left", base+"/detections/left?code=warninglist&source=nonsense")
	reading["api GET /detections/mutes"] = asks("GET", "", base+"/detections/mutes")
	changing["api POST /sensors"] = asks("POST", `{"name":"`+hiddenAccount+`"}`, base+"/sensors", base+"/sensors Idempotency-Key: k", base+"/sensors Idempotency-Key: k")
	changing["api DELETE /sensors/{id}"] = asks("DELETE", "", ids...)
	changing["api POST /detections/mutes"] = asks("POST", `{"source":"`+hiddenConstituent+`","why":"x","false_positive":true}`, base+"/detections/mutes")
	changing["api DELETE /detections/mutes/{id}"] = asks("DELETE", "", base+"/detections/mutes/"+hiddenConstituent+"", base+"/detections/mutes/nonsense")
	reading["node "+sensor.Prefix] = func(s *session) {
		for _, p := range []string{sensor.PathRenew, sensor.PathState + "?wait=1", sensor.PathSnapshot, sensor.PathChanges + "?after=x.1", sensor.PathRules, sensor.PathReports, sensor.PathHealth, sensor.Prefix, sensor.Prefix + "nonsense"} {
			for _, method := range []string{"GET", "POST", "DELETE"} {
				s.ask(method, p, "[]")
			}
		}
	}
	reading["node "+sensor.PathEnrol] = func(s *session) {
		s.ask("GET", sensor.PathEnrol, "")
		s.ask("POST", sensor.PathEnrol, `{"code":"entente-sensor-1.x","csr":"x"}`)
		s.ask("POST", sensor.PathEnrol, "nonsense")
	}
}
