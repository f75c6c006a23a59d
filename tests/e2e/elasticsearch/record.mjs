// Records what Elasticsearch's own JavaScript client sends and accepts: README.md. Run with the URL of a running
// daemon, in a folder where the client is installed:
//
//   node record.mjs http://127.0.0.1:8460 OUTPUT-FOLDER
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import process from 'node:process'
import { createRequire } from 'node:module'

const require = createRequire(path.join(process.cwd(), 'package.json'))
const { Client } = require('@elastic/elasticsearch')

const [, , url, folder] = process.argv
const target = new URL(url)
const auth = { username: 'hook', password: 'secret' }
let sent = []
let answered = []

// What passes through here is what stands in the files.
const proxy = net.createServer((client) => {
  const server = net.connect(Number(target.port), target.hostname)
  client.on('data', (bytes) => { sent.push(bytes); server.write(bytes) })
  server.on('data', (bytes) => { answered.push(bytes); client.write(bytes) })
  client.on('close', () => server.destroy())
  server.on('close', () => client.destroy())
  client.on('error', () => {})
  server.on('error', () => {})
})
await new Promise((done) => proxy.listen(0, '127.0.0.1', done))
const node = `http://127.0.0.1:${proxy.address().port}`

function cut (chunks) {
  const bytes = Buffer.concat(chunks)
  const end = bytes.indexOf('\r\n\r\n')
  return { lines: bytes.subarray(0, end).toString('latin1').split('\r\n'), body: bytes.subarray(end + 4) }
}

const stable = (line) => line
  .replace(/^host: .*/i, 'host: localhost:9200')
  .replace(/^(user-agent: elasticsearch-js\/[\d.]+) .*(Transport [\d.]+)\)/i, '$1 (linux; Node.js; $2)')
  .replace(/,js=[\d.]+,/, ',js=20,').replace(/,(un|hc)=[\d.]+/, ',$1=20')

let number = 0
async function record (name, call) {
  sent = []
  answered = []
  let outcome = 'accepted'
  try {
    await call()
  } catch (error) {
    outcome = `${error.name} ${error.statusCode ?? error.meta?.statusCode ?? ''}`.trim()
  }
  const request = cut(sent)
  const answer = cut(answered)
  const zipped = request.body[0] === 0x1f
  const text = answer.body.toString()
  const kept = /^(content-type|x-elastic-product|www-authenticate|location|allow):/i
  const exchange = {
    outcome,
    request: request.lines.map(stable),
    [zipped ? 'body-base64' : 'body']: request.body.toString(zipped ? 'base64' : 'utf8'),
    status: Number(answer.lines[0].split(' ')[1]),
    fields: answer.lines.slice(1).filter((line) => kept.test(line)),
    answer: text === '' ? null : JSON.parse(text)
  }
  number += 1
  const file = `${String(number).padStart(2, '0')}-${name}.json`
  fs.writeFileSync(path.join(folder, file), JSON.stringify(exchange, null, 1) + '\n')
  console.log(file, outcome, exchange.status)
}

// In the year 2100, so that it counts as now whenever it is replayed.
let transaction = 0
const session = () => ({
  timestamp: 4102444800000,
  transactionid: `recorded-${++transaction}`,
  'policy-domain': 'recorded.example',
  'policy-type': 'sts',
  'policy-string': ['version: STSv1', 'mode: enforce', 'mx: mx.recorded.example', 'max_age: 86400'],
  'mx-host': ['mx.recorded.example'],
  'result-type': 'certificate-expired',
  'receiving-mx-hostname': 'mx.recorded.example'
})
const none = { message: 'no session' }
const index = 'tlsrpt-alias'

for (const compression of [false, true]) {
  const client = new Client({ node, auth, compression, maxRetries: 0 })
  const way = compression ? '-compressed' : ''
  if (!compression) {
    await record('ping', () => client.ping())
    await record('info', () => client.info())
  }
  await record(`index${way}`, () => client.index({ index, document: session() }))
  await record(`index-id${way}`, () => client.index({ index, id: 'my id/1', document: session() }))
  await record(`create${way}`, () => client.create({ index, id: 'created-1', document: session() }))
  await record(`bulk${way}`, () => client.bulk({
    index,
    operations: [{ index: {} }, session(), { create: { _id: 'b2' } }, session(), { index: { _index: 'other' } }, none]
  }))
  await record(`helpers-bulk${way}`, () => client.helpers.bulk({
    datasource: [session(), session(), session()],
    onDocument: () => ({ create: { _index: index } })
  }))
  await record(`index-refused${way}`, () => client.index({ index, document: none }))
  if (!compression) await record('search', () => client.search({ index }))
  await client.close()
}
for (const [name, credentials] of [['no-credentials', undefined], ['wrong-password', { username: 'hook', password: 'x' }],
  ['token', { bearer: 'token-of-a-script' }]]) {
  const client = new Client({ node, auth: credentials, maxRetries: 0 })
  await record(name, () => client.index({ index, document: session() }))
  await client.close()
}
proxy.close()
process.exit(0)
