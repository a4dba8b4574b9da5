// npm run generate: writes src/datapath/layout.gen.ts from the compiled object, or with --check
// says whether the committed file still is what the object says (exit 1 when not).
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { parseBtf } from './btf.ts'
import { generate } from './codegen.ts'
import { parseElf } from './elf.ts'
import { readLayout } from './layout.ts'

const ROOT = new URL('../../', import.meta.url)
export const OBJECT = new URL('bpf/out/weir.bpf.o', ROOT)
export const OUTPUT = new URL('src/datapath/layout.gen.ts', ROOT)

/** The text of layout.gen.ts for the bytes of an object file. */
export function generateFrom(object: Uint8Array): string {
  const elf = parseElf(object)
  const btf = elf.sections.get('.BTF')
  if (!btf) throw new Error('Cannot generate layouts: the object has no .BTF, compile it with -g')
  return generate(readLayout(parseBtf(btf)), elf.symbols)
}

function main(): void {
  const { values } = parseArgs({
    options: { check: { type: 'boolean', default: false }, object: { type: 'string' } },
  })
  const text = generateFrom(readFileSync(values.object ?? OBJECT))
  if (!values.check) {
    writeFileSync(OUTPUT, text)
    return
  }
  if (readFileSync(OUTPUT, 'utf8') === text) return
  console.error('layout.gen.ts is not what the object says: run npm run generate and commit it')
  process.exitCode = 1
}

if (import.meta.main) main()
