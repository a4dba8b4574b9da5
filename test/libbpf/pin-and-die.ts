// A process that attaches and pins a program and is then killed, for links.test.ts.
import { join } from 'node:path'
import type { EngineName } from '../../src/libbpf/engine.ts'
import { openLibrary } from '../../src/libbpf/library.ts'
import { Link } from '../../src/libbpf/link.ts'
import { BpfObject } from '../../src/libbpf/object.ts'

const [, , engine, ifindex, bpffs, objectPath = ''] = process.argv
const library = openLibrary({ engine: engine as EngineName })
const object = BpfObject.open(library, objectPath)
object.load()
const program = object.program('count')
const link = Link.attachTcx(library, { program, ifindex: Number(ifindex), direction: 'egress' })
link.pin(join(bpffs ?? '', `dead-${engine}`))
process.kill(process.pid, 'SIGKILL')
