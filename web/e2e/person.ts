import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';

/** An answer of the node, outside the browser. */
export interface Answer {
  status: number;
  body: any; // eslint-disable-line @typescript-eslint/no-explicit-any
  cookie?: string;
}

/** Asks the node as a program would, trusting its own authority. */
export function ask(base: string, data: string, method: string, path: string, { json, body, headers = {} }: { json?: unknown; body?: string; headers?: Record<string, string> } = {}): Promise<Answer> {
  const payload = json === undefined ? body : JSON.stringify(json);
  return new Promise((done, fail) => {
    // No connection is kept: one that the node has closed meanwhile is found out only when it is used.
    const req = request(base + path, { method, agent: false, ca: readFileSync(join(data, 'keys/ca.pem')), headers: { ...(json === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers } }, (res) => {
      let text = '';
      res.setEncoding('utf8');
      res.on('data', (part: string) => (text += part));
      res.on('end', () => {
        let value: unknown = text;
        try {
          value = JSON.parse(text);
        } catch {
          // it is no JSON
        }
        done({ status: res.statusCode ?? 0, body: value, cookie: res.headers['set-cookie']?.[0]?.split(';')[0] });
      });
    });
    req.on('error', fail);
    req.end(payload);
  });
}

/** Signs an account in and gives its cookie. Where its roles want a second factor, one-time codes are set up. */
export async function signIn(base: string, data: string, name: string, password: string): Promise<string> {
  const r = await ask(base, data, 'POST', '/auth/password', { json: { name, password } });
  if (r.body.state !== 'done' || !r.cookie) throw new Error(`${name} could not sign in: ${r.status} ${JSON.stringify(r.body)}`);
  if (r.body.enrol) {
    const headers = { Cookie: r.cookie };
    const made = await ask(base, data, 'POST', '/api/v1/me/totp', { headers });
    const kept = await ask(base, data, 'POST', '/api/v1/me/totp/confirm', { headers, json: { code: totp(made.body.secret) } });
    if (kept.status !== 200) throw new Error(`${name} got no second factor: ${kept.status} ${JSON.stringify(kept.body)}`);
    return kept.cookie ?? r.cookie;
  }
  return r.cookie;
}

/** The one-time code of a secret (RFC 6238, SHA-1, six digits, 30 seconds). */
export function totp(secret: string, at = Date.now()): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  let bits = '';
  for (const c of secret.replace(/[=\s]/g, '').toUpperCase()) bits += alphabet.indexOf(c).toString(2).padStart(5, '0');
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((b) => parseInt(b, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(at / 30_000)));
  const sum = createHmac('sha1', key).update(counter).digest();
  const from = (sum[19] ?? 0) & 15;
  return String((sum.readUInt32BE(from) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}
