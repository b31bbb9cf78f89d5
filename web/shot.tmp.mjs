import { chromium } from 'playwright-core';
import { readFileSync } from 'node:fs';
const [who, path, out, scheme='light', script='', w='1440', h='900'] = process.argv.slice(2);
const b = await chromium.launch({executablePath:'/usr/bin/chromium', args:['--headless','--no-sandbox','--disable-gpu','--disable-quic','--no-first-run','--disable-background-networking','--disable-component-update','--disable-sync']});
const c = await b.newContext({baseURL:'https://127.0.0.1:19443', ignoreHTTPSErrors:true, colorScheme:scheme, viewport:{width:+w,height:+h}, locale:'en-GB', extraHTTPHeaders: who==='-'?{}:{Authorization:'Bearer '+readFileSync('/tmp/web1-demo/'+who+'.tok','utf8').trim()}});
const p = await c.newPage();
p.on('pageerror', e=>console.log('PAGEERROR', e.message)); p.on('console', m=>{ if(m.type()==='error') console.log('CONSOLE', m.text())});
await p.goto(path); await p.waitForTimeout(900);
if (script) { await (new Function('p','return (async()=>{'+script+'})()'))(p); await p.waitForTimeout(600); }
await p.screenshot({path: out}); await b.close();
