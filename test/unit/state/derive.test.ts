// derive(): initialization, groups, claims, and random sequences against a rebuild.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { derive } from '../../../src/state/derive.ts'
import { Table } from '../../../src/state/table.ts'
import { below, pick, randomFrom } from '../../support/random.ts'

interface Team {
  readonly name: string
  readonly seats: readonly string[]
}
interface Member {
  readonly name: string
  readonly teams: readonly string[]
}
/** Who sits where: a seat that two teams claim belongs to the first by name. */
interface Seat {
  readonly seat: string
  readonly team: string
  readonly members: readonly string[]
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

function setUp(t: TestContext, options: { initialize?: boolean } = {}) {
  const teams = new Table<Team>('teams', ({ name }) => name)
  const members = new Table<Member>('members', ({ name }) => name)
  const seats = new Table<Seat>('seats', ({ seat }) => seat)
  members.addIndex('team', (member) => member.teams)
  const computed: string[] = []
  const conflicts: string[] = []
  const changes: string[] = []
  seats.subscribe((key) => changes.push(key))
  const start = () =>
    t.after(
      derive({
        inputs: [
          { table: teams, groupsOf: ({ name }: Team) => [name] },
          { table: members, groupsOf: (member: Member) => member.teams },
        ],
        compute: (name) => {
          computed.push(name)
          const team = teams.get(name)
          const names = [...members.byIndex('team', name)].map((member) => member.name).sort()
          return (team?.seats ?? []).map((seat) => ({ seat, team: name, members: names }))
        },
        output: seats,
        onConflict: ({ key, owner, loser }) => conflicts.push(`${key}: ${owner} before ${loser}`),
      }),
    )
  if (options.initialize !== false) {
    teams.markInitialized()
    members.markInitialized()
  }
  const owners = () => Object.fromEntries([...seats.rows()].map(({ seat, team }) => [seat, team]))
  return { teams, members, seats, computed, conflicts, changes, start, owners }
}

test('derive() writes nothing before every input has its first list', async (t) => {
  const { teams, members, seats, start } = setUp(t, { initialize: false })
  start()
  teams.upsert({ name: 'red', seats: ['1'] })
  teams.markInitialized()
  await turn()
  assert.equal(seats.size, 0)
  assert.equal(seats.initialized, false)
  members.upsert({ name: 'ada', teams: ['red'] })
  members.markInitialized()
  await turn()
  assert.deepEqual([...seats.rows()], [{ seat: '1', team: 'red', members: ['ada'] }])
  assert.equal(seats.initialized, true)
})

test('the output is initialized after its first rows, also when there are none', async (t) => {
  const { teams, seats, start, changes } = setUp(t)
  teams.upsert({ name: 'red', seats: ['1', '2'] })
  start()
  await turn()
  assert.deepEqual(changes, ['1', '2', ''])
  const empty = setUp(t)
  empty.start()
  await turn()
  assert.equal(empty.seats.initialized, true)
  assert.equal(seats.initialized, true)
})

test('a change runs the groups it touches, before and after it, and no other', async (t) => {
  const { teams, members, start, computed } = setUp(t)
  for (const name of ['red', 'blue', 'green']) teams.upsert({ name, seats: [name] })
  members.upsert({ name: 'ada', teams: ['red'] })
  start()
  await turn()
  assert.deepEqual(computed.sort(), ['blue', 'green', 'red'])
  computed.length = 0
  members.upsert({ name: 'ada', teams: ['blue'] })
  members.upsert({ name: 'bob', teams: ['blue'] })
  await turn()
  assert.deepEqual(computed.sort(), ['blue', 'red'])
  computed.length = 0
  members.delete('ada')
  await turn()
  assert.deepEqual(computed, ['blue'])
})

test('equal results change nothing below', async (t) => {
  const { teams, members, start, changes } = setUp(t)
  teams.upsert({ name: 'red', seats: ['1'] })
  start()
  await turn()
  changes.length = 0
  members.upsert({ name: 'ada', teams: ['grey'] })
  teams.upsert({ name: 'red', seats: ['1', '1'] })
  await turn()
  assert.deepEqual(changes, [])
})

test('a row that a group no longer gives is deleted', async (t) => {
  const { teams, seats, start, owners } = setUp(t)
  teams.upsert({ name: 'red', seats: ['1', '2'] })
  start()
  await turn()
  teams.upsert({ name: 'red', seats: ['2', '3'] })
  await turn()
  assert.deepEqual(owners(), { 2: 'red', 3: 'red' })
  teams.delete('red')
  await turn()
  assert.equal(seats.size, 0)
})

test('of two groups with one key the first by name owns it, whoever came first', async (t) => {
  for (const order of [
    ['blue', 'red'],
    ['red', 'blue'],
  ]) {
    const { teams, start, owners, conflicts } = setUp(t)
    start()
    for (const name of order) {
      teams.upsert({ name, seats: ['1', name] })
      await turn()
    }
    assert.deepEqual(owners(), { 1: 'blue', blue: 'blue', red: 'red' })
    assert.deepEqual(conflicts, ['1: blue before red'])
  }
})

test('the loser takes over when the owner goes, without a gap', async (t) => {
  const { teams, seats, start, owners, changes } = setUp(t)
  start()
  seats.keepDeletions()
  for (const name of ['c', 'a', 'b']) teams.upsert({ name, seats: ['1'] })
  await turn()
  assert.deepEqual(owners(), { 1: 'a' })
  changes.length = 0
  teams.delete('a')
  await turn()
  assert.deepEqual(owners(), { 1: 'b' })
  assert.equal(seats.isDeleted('1'), false)
  teams.upsert({ name: 'b', seats: [] })
  await turn()
  assert.deepEqual(owners(), { 1: 'c' })
  teams.delete('c')
  await turn()
  assert.deepEqual(owners(), {})
})

test('a loser that gave up does not take over', async (t) => {
  const { teams, start, owners } = setUp(t)
  start()
  for (const name of ['a', 'b']) teams.upsert({ name, seats: ['1'] })
  await turn()
  teams.delete('b')
  await turn()
  teams.delete('a')
  await turn()
  assert.deepEqual(owners(), {})
})

test('a conflict is told again when the loser had given up in between', async (t) => {
  const { teams, start, conflicts } = setUp(t)
  start()
  for (const seats of [['1'], [], ['1']]) {
    for (const name of ['a', 'b']) teams.upsert({ name, seats: name === 'a' ? ['1'] : seats })
    await turn()
    teams.upsert({ name: 'a', seats: ['1', `${seats.length}`] })
    await turn()
  }
  assert.deepEqual(conflicts, ['1: a before b', '1: a before b'])
})

test('of two rows of one group with one key the first counts, in every run', async (t) => {
  const { teams, seats, changes } = setUp(t)
  const compute = (team: string) =>
    ['x', 'y'].map((member) => ({ seat: '1', team, members: [member] }))
  const inputs = [{ table: teams, groupsOf: ({ name }: Team) => [name] }]
  t.after(derive({ inputs, compute, output: seats }))
  teams.upsert({ name: 'red', seats: [] })
  await turn()
  teams.upsert({ name: 'red', seats: ['1'] })
  await turn()
  assert.deepEqual(seats.get('1')?.members, ['x'])
  assert.deepEqual(changes, ['1', ''])
})

test('stopping leaves the output as it is', async (t) => {
  const { teams, members, seats } = setUp(t)
  const stop = derive({
    inputs: [{ table: teams, groupsOf: ({ name }: Team) => [name] }],
    compute: (name) => [{ seat: name, team: name, members: [] }],
    output: seats,
  })
  teams.upsert({ name: 'red', seats: [] })
  await turn()
  stop()
  teams.delete('red')
  members.markInitialized()
  await turn()
  assert.equal(seats.size, 1)
})

test('rows that an earlier derivation left in the output go with the first run', async (t) => {
  const { teams, seats, start, owners } = setUp(t)
  seats.upsert({ seat: '1', team: 'gone', members: [] })
  seats.upsert({ seat: '2', team: 'gone', members: [] })
  teams.upsert({ name: 'red', seats: ['2', '3'] })
  start()
  await turn()
  assert.deepEqual(owners(), { 2: 'red', 3: 'red' })
})

for (let seed = 1; seed <= 30; seed++) {
  test(`a random sequence ends equal to a rebuild from nothing (seed ${seed})`, async (t) => {
    const random = randomFrom(seed)
    const live = setUp(t)
    live.start()
    const names = ['a', 'b', 'c', 'd']
    for (let step = 0; step < 120; step++) {
      const name = pick(random, names)
      const action = random()
      const some = (list: readonly string[]) => list.filter(() => random() < 0.4)
      if (action < 0.35) live.teams.upsert({ name, seats: some(['1', '2', '3', '4']) })
      else if (action < 0.5) live.teams.delete(name)
      else if (action < 0.75) live.members.upsert({ name, teams: some(names) })
      else if (action < 0.85) live.members.delete(name)
      else for (let turns = below(random, 2); turns >= 0; turns--) await turn()
    }
    await turn()
    const rebuilt = setUp(t)
    for (const row of live.teams.rows()) rebuilt.teams.upsert(row)
    for (const row of live.members.rows()) rebuilt.members.upsert(row)
    rebuilt.start()
    await turn()
    const sorted = (table: Table<Seat>) =>
      [...table.rows()].sort((a, b) => (a.seat < b.seat ? -1 : 1))
    assert.deepEqual(sorted(live.seats), sorted(rebuilt.seats))
  })
}
