// Two minutes of the daemon's own page behind a proxy that cuts in the middle of events, stalls without an end, takes nobody
// in, and lets through again, over and over: nothing missed, nothing twice, and a person sees how old the picture is.
//
// usage: node proxy.mjs TELLTALE CHROMIUM OUTPUT_FOLDER

import { once } from 'node:events'
import { createServer, connect } from 'node:net'
import { check, ended, folder, kill, launch, startDemo, until } from './harness.mjs'
import { close, historyIds, isLive, openIn, same, shot, shownIds } from './pages.mjs'

const LONG_MS = 120_000
const browser = await launch()

/** A way to the daemon that can be spoiled: `ways.stall` keeps connections open and says nothing, `ways.cut` ends the next one
 * in the middle of an event, `ways.down` takes no new ones. `forget` ends those that have lost bytes in a stall. */
async function badWay(url) {
  const target = new URL(url)
  const ways = { stall: false, cut: false, down: false, cuts: 0 }
  const open = new Set()
  const server = createServer((client) => {
    if (ways.down) return client.destroy()
    const unit = connect(Number(target.port), target.hostname)
    const drop = () => { open.delete(drop); client.destroy(); unit.destroy() }
    open.add(drop)
    client.on('data', (bytes) => ways.stall || unit.write(bytes))
    unit.on('data', (bytes) => {
      if (ways.stall) return
      const at = ways.cut ? bytes.indexOf('data: {"eventId"') : -1
      if (at < 0) return client.write(bytes)
      ways.cut = false
      ways.cuts += 1
      client.write(bytes.subarray(0, at + 40))
      setImmediate(drop)
    })
    for (const side of [client, unit]) side.on('error', drop).on('close', () => ways.stall || drop())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  ways.forget = () => open.forEach((drop) => drop())
  return { ways, server, url: `http://127.0.0.1:${server.address().port}/` }
}

const state = (page) => page.locator('#link').getAttribute('data-state')

/** One round of everything that a bad network does; how long the page took to see that nothing comes any more, in seconds. */
async function spoil(page, ways, demo, picture) {
  const cuts = ways.cuts
  ways.cut = true
  await until('a cut in the middle of an event', () => ways.cuts > cuts)
  await until('it comes back', async () => (await state(page)) === 'live')
  const begun = Date.now()
  ways.stall = true
  await page.getByText(/picture \d\d s old/).waitFor()
  await page.locator('#link-words', { hasText: /connection lost since \d\d:\d\d:\d\d/ }).waitFor()
  const noticed = (Date.now() - begun) / 1000
  if (picture) await shot(page, picture)
  ways.down = true
  ways.stall = false
  ways.forget()
  const before = (await historyIds(demo)).length
  await until('something happens meanwhile', async () => (await historyIds(demo)).length > before)
  ways.down = false
  // A phone that wakes up, or finds its network again, asks at once.
  await page.evaluate(() => dispatchEvent(new Event('online')))
  await isLive(page)
  return noticed
}

await check('page: two minutes behind a proxy that cuts, stalls without an end and restores: nothing missed, nothing twice, the age told', async () => {
  const begun = Date.now()
  const demo = await startDemo(folder())
  const { ways, server, url } = await badWay(demo.url)
  const page = await openIn(browser, `${url}#token=${demo.token}`)
  await isLive(page)
  const noticed = []
  while (Date.now() - begun < LONG_MS) {
    noticed.push(await spoil(page, ways, demo, noticed.length ? '' : 'lost-phone-light'))
  }
  const wanted = await historyIds(demo)
  const shown = await until('all that was told', async () => {
    const ids = await shownIds(page)
    return wanted.every((id) => ids.includes(id)) && ids
  })
  same('nothing twice', [new Set(shown).size, await page.locator('#events').getAttribute('data-twins')], [shown.length, '0'])
  same('no age any more', await page.locator('#link-age').textContent(), '')
  await close(page)
  server.close()
  await kill(demo)
  return { events: shown.length, rounds: noticed.length, seconds_to_a_stall_noticed_at_most: Math.max(...noticed) }
})

await browser.close()
ended()
