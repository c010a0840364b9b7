// The daemon's own page in a real browser, against real daemons: what a person does with it, on a phone and at a desk, in
// light and dark; and what axe-core says of it. What it does behind a connection that breaks is in proxy.mjs.
//
// usage: node page.mjs TELLTALE CHROMIUM OUTPUT_FOLDER

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { check, ended, folder, kill, launch, startDemo, telltale, until } from './harness.mjs'
import { ask, close, DESK, historyIds, isLive, look, openIn, PHONE, same, shot, shownIds } from './pages.mjs'

const VIEWS = ['car', 'map', 'history', 'more']
const axe = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8')
const project = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const browser = await launch()
const open = (link, look, scheme) => openIn(browser, link, look, scheme)

/** Takes events of this type out of a page, as if they had never been told; the highest of their ids. */
const forget = (page, type) => page.evaluate(async (eventType) => {
  const { events } = await import('/events.js')
  const ids = [...events.known.values()].filter((event) => event.eventType === eventType).map((event) => event.eventId)
  ids.forEach((id) => events.known.delete(id))
  return Math.max(...ids)
}, type)

/** What a page has of the event of this id. */
const known = (page, id) => page.evaluate(async (eventId) => (await import('/events.js')).events.known.get(eventId), id)

async function judge(page, where) {
  await page.evaluate(axe)
  const found = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }))
  const bad = found.violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
  if (bad.length) throw new Error(`${where}: ${bad.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join('; ')}`).join('\n')}`)
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
  if (wide > 0) throw new Error(`${where}: the page is ${wide} px too wide`)
}

// A long time passes for a car meanwhile, from which a history will come.
const past = folder()
let elder = await startDemo(past, { speed: 100 })

// ---- a unit that somebody is paired with

await check('page: a phone pairs by the link of the QR code, another by the code; one revokes the other while it is open', async () => {
  const site = folder()
  const config = join(site, 'telltale.toml')
  writeFileSync(config, `[vehicle]
vin = "TELLTALESAMPLE001"
profile = "${project}/src/sim/car.toml"
[bus.body]
interface = "can0"
candump = "silent.fifo"
[bus.cabin]
interface = "can1"
candump = "silent.fifo"
[journal]
dir = "journal"
[http]
listen = "127.0.0.1:0"
`)
  // Buses on which nobody says anything.
  execFileSync('mkfifo', [join(site, 'silent.fifo')])
  const env = { ...process.env, RUNTIME_DIRECTORY: join(site, 'runtime') }
  const daemon = { child: spawn(telltale, ['run', '--config', config], { env, stdio: ['ignore', 'ignore', 'inherit'] }) }
  const invite = (scopes) => {
    try {
      return execFileSync(telltale, ['pair', '--member', 'anna', '--scopes', scopes], { env, stdio: ['ignore', 'pipe', 'ignore'] }).toString().match(/http\S+#pair=\w+/)[0]
    } catch {
      return null
    }
  }
  const mum = await open(await until('pairing is open', () => invite('read,control,admin')))
  same('the address keeps no code', await mum.evaluate(() => location.hash), '')
  await judge(mum, 'pairing')
  await shot(mum, 'pairing')
  await mum.getByLabel('Name of this phone').fill("Anna's phone")
  await mum.getByRole('button', { name: 'Pair' }).click()
  await isLive(mum)
  await mum.getByText('not found by the receiver yet').or(mum.getByText('position unknown')).first().waitFor()

  const link = invite('read,control')
  const dad = await open(link.split('#')[0])
  await dad.getByLabel('Pairing code').fill('00000000')
  await dad.getByRole('button', { name: 'Pair' }).click()
  await dad.getByText('Not paired: that is not the code').waitFor()
  await dad.getByLabel('Pairing code').fill(link.split('=')[1])
  await dad.getByLabel('Name of this phone').fill('<b>Dad</b>')
  await dad.getByRole('button', { name: 'Pair' }).click()
  await isLive(dad)
  await look(dad, 'more')
  same('devices are for who may revoke them', await dad.locator('#devices-part').isVisible(), false)
  await dad.reload()
  await isLive(dad)

  await look(mum, 'more')
  await mum.getByText("Anna's phone (this phone)").waitFor()
  await shot(mum, 'devices')
  await judge(mum, 'devices')
  await mum.getByRole('button', { name: 'Revoke <b>Dad</b>' }).click()
  await mum.getByRole('button', { name: 'Really? Revoke <b>Dad</b>' }).click()
  await mum.getByText('<b>Dad</b> is revoked.').waitFor()
  await dad.getByText(/was revoked|not paired any more/).waitFor()
  await dad.getByLabel('Pairing code').waitFor()
  same('the token is forgotten', await dad.evaluate(() => localStorage.getItem('telltale.token')), null)
  await mum.getByRole('button', { name: 'Sign out on this phone' }).click()
  await mum.getByText('Signed out on this phone.').waitFor()
  await close(mum)
  await close(dad)
  await kill(daemon)
})

await until('more than an hour of events', async () => {
  const ids = await historyIds(elder)
  return ids.at(-1) - ids[0] > 1.2 * 3600e6
})
await kill(elder)

// ---- a car that drives

await check('page: an alert takes the whole screen, is made small by Escape, and is answered: offline, snooze, safe', async () => {
  // A slow one: its driver is to stay away until the alert is answered, 90 of the car's seconds after its begin.
  const slow = await startDemo(folder(), { speed: 2 })
  const link = `${slow.url}#token=${slow.token}`
  const page = await open(link, PHONE, 'dark')
  const desk = await open(link, DESK)
  await page.getByRole('button', { name: 'Map' }).click()
  const alarm = page.getByRole('alertdialog', { name: /child/i })
  await alarm.waitFor()
  same('it fills the screen', await alarm.evaluate((dialog) => [dialog.clientWidth, dialog.clientHeight]), [360, 740])
  same('the focus is on its words', await page.evaluate(() => document.activeElement.id), 'alarm-title')
  if (!/LEFT BEHIND/.test(await page.title())) throw new Error(`the title is ${await page.title()}`)
  await judge(page, 'alert')
  await shot(page, 'alert-phone-dark')
  await desk.locator('#alarm[open]').waitFor()
  await judge(desk, 'alert')
  await shot(desk, 'alert-desk-light')

  await page.context().setOffline(true)
  await page.getByRole('button', { name: 'The child is safe' }).click()
  await page.getByRole('alert').getByText('NOT confirmed').waitFor()
  await page.context().setOffline(false)
  await isLive(page)

  await desk.keyboard.press('Escape')
  await desk.locator('#bar').getByText('A child is left behind').waitFor()
  same('it can be made large again', await desk.evaluate(() => document.activeElement.id), 'larger')
  await desk.keyboard.press('Enter')
  await desk.locator('#alarm[open]').waitFor()

  const missed = await forget(desk, 'CHILD_LEFT_BEHIND')
  await until('an alert that was not told is asked for', () => known(desk, missed))

  await page.getByRole('button', { name: 'Snooze 10 minutes' }).click()
  await page.locator('#bar[data-state="snoozed"]').getByText(/snoozed until \d/).waitFor()
  await page.getByText('Snoozed for 10 minutes.').waitFor()
  await desk.locator('#bar[data-state="snoozed"]').waitFor()
  await judge(page, 'snoozed')
  await shot(page, 'snoozed-phone-dark')
  await page.locator('#bar-safe').click()
  await page.getByText('Thank you. The alert is over.').waitFor()
  await desk.locator('#bar').waitFor({ state: 'hidden' })
  same('no alert any more', [await page.locator('#bar').isVisible(), await page.title()], [false, 'Telltale'])
  await forget(desk, 'CHILD_ALERT_ACKNOWLEDGED')
  await until('an end that was not told is believed', async () => (await known(desk, missed))?.ended)
  await look(page, 'history')
  await page.locator('#events li', { hasText: 'Alert answered: the child is safe – by demo' }).waitFor()
  await close(page)
  await close(desk)
  await kill(slow)
})

let demo = await startDemo(folder())
let link = `${demo.url}#token=${demo.token}`

await check('page: every view on phone and desk, light and dark: nothing serious for axe-core, nothing too wide, codes with their texts', async () => {
  let screens = 0
  for (const [size, way] of [['phone', PHONE], ['desk', DESK]]) {
    for (const scheme of ['light', 'dark']) {
      const page = await open(link, way, scheme)
      await isLive(page)
      await page.locator('#facts dt', { hasText: 'Doors' }).waitFor()
      await page.locator('#fences li', { hasText: 'School' }).waitFor({ state: 'attached' })
      for (const view of size === 'phone' ? VIEWS : ['car']) {
        if (size === 'phone') await look(page, view)
        if (view === 'car') await page.locator('#mil').waitFor()
        await judge(page, `${view}, ${size}, ${scheme}`)
        await shot(page, `${view}-${size}-${scheme}`)
        screens += 1
      }
      await close(page)
    }
  }
  const page = await open(link)
  await page.locator('#codes li', { hasText: /P0301 Misfires in cylinder 1.*stored/ }).waitFor()
  await shot(page, 'code-phone-light')
  await close(page)
  return { screens }
})
await kill(demo)

// No alert comes between a finger or a key and what it is for.
const calm = { speed: 1, scenario: 'all-is-well' }
demo = await startDemo(folder(), calm)
link = `${demo.url}#token=${demo.token}`

await check('page: a fence drawn with a finger, one typed in by keyboard, a scripted name, and deleting', async () => {
  const page = await open(link)
  await isLive(page)
  await look(page, 'map')
  await page.getByRole('button', { name: 'Draw a fence' }).tap()
  const box = await page.locator('#map').boundingBox()
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2]
  const finger = await page.context().newCDPSession(page)
  const touch = (type, ...points) => finger.send('Input.dispatchTouchEvent', { type, touchPoints: points.map(([px, py]) => ({ x: px, y: py })) })
  await touch('touchStart', [x, y])
  for (let step = 1; step <= 6; step += 1) await touch('touchMove', [x + step * 10, y])
  await shot(page, 'drawing-phone-light')
  await touch('touchEnd')
  await page.getByLabel('Name', { exact: true }).fill('<img src=x onerror="window.hurt=1">')
  await page.getByLabel('Faster inside than').fill('30')
  await judge(page, 'fence form')
  await shot(page, 'fence-phone-light')
  await page.getByRole('button', { name: 'Save the fence' }).tap()
  await page.locator('#fences li', { hasText: '<img src=x' }).waitFor()
  const drawn = (await ask(demo, '/api/v1/geofences')).features.find((fence) => fence.properties.source === 'phone')
  same('what was drawn', [drawn.geometry.type, drawn.properties.speed_limit_kmh, drawn.properties.radius > 20], ['Point', 30, true])
  same('a name is text', await page.evaluate(() => [window.hurt ?? null, document.images.length]), [null, 0])

  const desk = await open(link, DESK, 'dark')
  await isLive(desk)
  await desk.locator('#facts dt').first().waitFor()
  await desk.locator('#map').focus()
  for (const key of ['+', '-', 'ArrowLeft', 'ArrowUp']) await desk.keyboard.press(key)
  await desk.locator('#type-fence').focus()
  await desk.keyboard.press('Enter')
  await desk.keyboard.press('Escape')
  same('Escape puts the form away', await desk.locator('#fence-form').isVisible(), false)
  await desk.keyboard.press('Enter')
  await desk.keyboard.type("Grandma's")
  await desk.keyboard.press('Tab')
  await desk.keyboard.press('Tab')
  await desk.keyboard.press('Control+A')
  await desk.keyboard.type('120')
  await desk.keyboard.press('Enter')
  await desk.locator('#fences li', { hasText: "Grandma's" }).waitFor()
  const typed = (await ask(demo, '/api/v1/geofences')).features.find((fence) => fence.properties.name === "Grandma's")
  same('what was typed', [typed.properties.radius, typed.geometry.type], [120, 'Point'])
  await shot(desk, 'fences-desk-dark')
  // The other phone sees it too, and may delete it.
  await page.getByRole('button', { name: "Delete Grandma's" }).tap()
  await page.getByRole('button', { name: "Really? Delete Grandma's" }).tap()
  await desk.locator('#fences li', { hasText: "Grandma's" }).waitFor({ state: 'detached' })
  await close(page)
  await close(desk)
})

// ---- a bad connection

await check('page: goes on after kill -9 of the daemon', async () => {
  const page = await open(link)
  await isLive(page)
  await kill(demo)
  await page.locator('#link[data-state="lost"]').waitFor()
  const data = folder()
  writeFileSync(join(data, 'demo-token'), demo.token)
  demo = await startDemo(data, { ...calm, listen: new URL(demo.url).host })
  await isLive(page)
  await close(page)
})

await kill(demo)

// ---- a long time

await check('page: history scrolls back page by page to its beginning', async () => {
  elder = await startDemo(past)
  const page = await open(`${elder.url}#token=${elder.token}`, PHONE, 'dark')
  await isLive(page)
  await look(page, 'history')
  await page.locator('#events li[data-id]').first().waitFor()
  const first = (await shownIds(page)).length
  await until('all of it', async () => {
    await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight))
    return page.locator('#past-end').isVisible()
  })
  await shot(page, 'history-phone-dark-end')
  const shown = await shownIds(page)
  const missed = (await historyIds(elder)).filter((id) => id < shown[0] && !shown.includes(id))
  same('nothing is missed', missed, [])
  if (!(first < shown.length)) throw new Error(`all ${shown.length} events were there at once`)
  // What is too much for a phone goes, the oldest first, and it is said.
  await page.evaluate(async (newest) => {
    const { events } = await import('/events.js')
    for (let n = 1; n <= 4000; n += 1) events.take({ ...events.known.get(newest), eventId: newest + n })
  }, shown[0])
  await page.locator('#past-end', { hasText: 'the latest 4000' }).waitFor()
  same('no more than that', [(await shownIds(page)).length, await page.locator('#older').isVisible()], [4000, false])
  await close(page)
  await kill(elder)
  return { events: shown.length, of_them_at_first: first }
})

await browser.close()
ended()
