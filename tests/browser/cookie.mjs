// The session's cookie in a real browser: what our own page may do by it, and what other pages try with it.
//
// usage: node cookie.mjs TELLTALE CHROMIUM OUTPUT_FOLDER
//
// Prints one JSON line a check: {"name", "passed", "seconds", "figures", "error"}; exit 1 when one failed.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { chromium } from 'playwright-core'

const [telltale, browserPath] = process.argv.slice(2)
const data = mkdtempSync(join(tmpdir(), 'telltale-cookie-'))
let failed = 0

async function check(name, body) {
  const begun = Date.now()
  let fault
  try {
    await body()
  } catch (error) {
    failed += 1
    fault = error.stack
  }
  console.log(JSON.stringify({ name, passed: !fault, seconds: (Date.now() - begun) / 1000, figures: {}, error: fault }))
}

const child = spawn(telltale, ['demo', '--json', '--data', data, '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'] })
const { value: line } = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next()
const { url, token, member } = JSON.parse(line)
const base = url.replace(/\/$/, '')

// Long enough for a shared, noisy machine; nothing waits this long when all is well.
setTimeout(() => {
  console.error('time is up')
  child.kill('SIGKILL')
  process.exit(1)
}, 180_000).unref()

// What another site serves: nothing but a place for scripts.
const server = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>other</title>'))
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const elsewhere = server.address().port

const browser = await chromium.launch({
  executablePath: browserPath,
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update'],
})
const context = await browser.newContext()
const own = await context.newPage()
await own.goto(`${base}/`)

const fence = { type: 'Feature', geometry: { type: 'Point', coordinates: [127.05, 37.54] }, properties: { type: 'Circle', radius: 80, radius_units: 'm' } }
const ask = (page, path, options) => page.evaluate(async ([address, options]) => {
  try {
    const response = await fetch(address, options)
    return response.type === 'opaque' ? 'opaque' : response.status
  } catch {
    return 'blocked'
  }
}, [path, options])
const json = (method, body) => ({ method, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) })
// Resolves with the name of the stream's first event, or 'error'; the stream stays open as window.stream.
const listen = (page, address, options) => page.evaluate(([address, options]) => new Promise((resolve) => {
  window.stream = new EventSource(address, options)
  window.revoked = new Promise((resolve) => window.stream.addEventListener('revoked', () => resolve('revoked')))
  window.stream.addEventListener('heartbeat', () => resolve('heartbeat'))
  window.stream.addEventListener('error', () => resolve('error'))
}), [address, options])

await check('browser: our own page reads, streams and changes by the cookie alone', async () => {
  assert.equal(await ask(own, '/api/v1/events'), 401)
  assert.equal(await ask(own, '/api/v1/auth/login', json('POST', { username: member, password: token })), 200)
  assert.equal(await own.evaluate(() => document.cookie), '', 'no script sees it')
  const [cookie] = await context.cookies(base)
  assert.deepEqual([cookie.name, cookie.httpOnly, cookie.sameSite, cookie.path], ['telltale', true, 'Strict', '/'])
  assert.equal(await ask(own, '/api/v1/events'), 200)
  assert.equal(await listen(own, '/api/my-events'), 'heartbeat')
  assert.equal(await ask(own, '/api/v1/geofences/own', json('PUT', fence)), 201)
  assert.equal(await ask(own, '/api/v1/geofences/own', { method: 'PUT', body: JSON.stringify(fence) }), 415, 'text/plain')
  assert.equal(await ask(own, '/api/v1/geofences/own', { method: 'DELETE' }), 204)
})

for (const [whose, host] of [["another port's page", '127.0.0.1'], ['a page of another site', 'localhost']]) {
  await check(`browser: ${whose} can do nothing with our cookie`, async () => {
    const page = await context.newPage()
    await page.goto(`http://${host}:${elsewhere}/`)
    const include = { credentials: 'include' }
    assert.equal(await ask(page, `${base}/api/v1/events`, include), 'blocked')
    assert.equal(await ask(page, `${base}/api/v1/geofences/theirs`, { ...json('PUT', fence), ...include }), 'blocked')
    assert.equal(await listen(page, `${base}/api/my-events`, { withCredentials: true }), 'error')
    const simple = { method: 'POST', mode: 'no-cors', body: '{}', headers: { 'Content-Type': 'text/plain' }, ...include }
    assert.equal(await ask(page, `${base}/api/v1/auth/logout`, simple), 'blocked', 'its answer is not for other origins')
    const answered = page.waitForNavigation()
    await page.evaluate((action) => {
      const form = Object.assign(document.createElement('form'), { method: 'POST', action, enctype: 'text/plain' })
      document.body.append(form)
      form.submit()
    }, `${base}/api/v1/auth/logout`)
    assert.equal((await answered).status(), 401, 'a form')
    await own.bringToFront()
    assert.equal(await ask(own, '/api/v1/geofences/theirs'), 404)
    assert.equal(await ask(own, '/api/v1/events'), 200, 'nobody has logged us out')
  })
}

await check('browser: a page of another site streams by a ticket, which it was given', async () => {
  const ticket = await own.evaluate(async () => (await (await fetch('/OpenApi/ActiveSession/AboutMe')).json()).data.UrlToken)
  const page = await context.newPage()
  await page.goto(`http://localhost:${elsewhere}/`)
  assert.equal(await listen(page, `${base}/api/my-events?token=${ticket}`), 'heartbeat')
  assert.equal(await ask(page, `${base}/api/v1/events?token=${ticket}`), 401, 'and reads nothing else')

  assert.equal(await ask(own, '/api/v1/auth/logout', { method: 'POST' }), 204)
  assert.deepEqual(await Promise.all([own, page].map((each) => each.evaluate(() => window.revoked))), ['revoked', 'revoked'])
  assert.equal(await ask(own, '/api/v1/events'), 401)
  assert.deepEqual(await context.cookies(base), [])
})

await browser.close()
server.close()
const ended = once(child, 'exit')
child.kill('SIGKILL')
await ended
rmSync(data, { recursive: true, force: true })
process.exit(failed ? 1 : 0)
