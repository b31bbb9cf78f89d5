// An OpenID provider for one test: it prints where it listens, reads where it may send people back to, and serves until its input ends.
// Anybody is who they say they are.
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import Provider from 'oidc-provider'

let answer = (_request, response) => response.writeHead(503).end()
const server = createServer((request, response) => answer(request, response))
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`))

const lines = createInterface({ input: process.stdin })
lines.once('line', (line) => {
  const { redirect, secret } = JSON.parse(line)
  const provider = new Provider(`http://127.0.0.1:${server.address().port}`, {
    clients: [{ client_id: 'entente', client_secret: secret, redirect_uris: [redirect], grant_types: ['authorization_code'], response_types: ['code'] }],
    pkce: { required: () => true },
    scopes: ['openid', 'profile', 'email'],
    claims: { openid: ['sub'], profile: ['preferred_username', 'groups'], email: ['email', 'email_verified'] },
    cookies: { keys: ['for one test'] },
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => ({ sub: id, preferred_username: id, groups: ['threat-intel'], email: `${id}@corp.example`, email_verified: id !== 'mallory' }),
    }),
  })
  answer = provider.callback()
  console.log('ready')
})
lines.on('close', () => process.exit(0))
