// Prints a layout as TypeScript: an interface and a codec for each struct, constants for each enum.
// `struct address` and `struct mac` become Address and Mac; fields called pad are written as zero.
import type { ElfSymbol } from './elf.ts'
import {
  type Enum,
  type Field,
  type FieldType,
  type Global,
  type Layout,
  layoutHash,
  type MapLayout,
  type Struct,
  sizeOf,
} from './layout.ts'

/** The whole text of layout.gen.ts. */
export function generate(layout: Layout, symbols: readonly ElfSymbol[]): string {
  const structs = inOrderOfUse(layout.structs.filter(({ name }) => !TEXT_STRUCTS.has(name)))
  const body = [
    '/** Layout of the object these codecs were generated from; compare with btfHash(). */',
    `export const OBJECT_HASH = '${layoutHash(layout)}'`,
    '',
    ...layout.enums.flatMap(printEnum),
    ...structs.flatMap(printStruct),
    ...NUMBER_CODECS,
    ...printMaps(layout.maps),
    ...printGlobals(layout.globals, symbols),
  ].join('\n')
  return [HEADER, ...printImports(body), '', body].join('\n')
}

const HEADER =
  '// Generated from the BTF of bpf/out/weir.bpf.o: change bpf/lib and run npm run generate.'

const IMPORTS = [
  { from: '../net/address.ts', names: ['type Address', 'putAddress', 'takeAddress'] },
  { from: '../net/mac.ts', names: ['type Mac'] },
  {
    from: './codec.ts',
    names: [
      ...['type Codec', 'defineCodec', 'eachOf', 'type MapLayout'],
      ...['putBytes', 'putMac', 'putZeroes', 'takeBytes', 'takeMac'],
    ],
  },
]

/** Only what the body uses: the compiler refuses unused imports. */
function printImports(body: string): string[] {
  return IMPORTS.flatMap(({ from, names }) => {
    const used = names.filter((name) => new RegExp(`\\b${name.replace('type ', '')}\\b`).test(body))
    return used.length === 0 ? [] : [`import { ${used.join(', ')} } from '${from}'`]
  })
}

/** Structs that TypeScript knows as text. */
const TEXT_STRUCTS = new Map([
  ['address', 'Address'],
  ['mac', 'Mac'],
])

const NUMBER_CODECS = [8, 16, 32].flatMap((bits) => [
  `export const u${bits}: Codec<number> = defineCodec(`,
  `  ${bits / 8},`,
  `  (view, at, v) => view.setUint${bits}(at, v${bits > 8 ? ', true' : ''}),`,
  `  (view, at) => view.getUint${bits}(at${bits > 8 ? ', true' : ''}),`,
  ')',
  '',
])
NUMBER_CODECS.push(
  'export const u64: Codec<bigint> = defineCodec(',
  '  8,',
  '  (view, at, v) => view.setBigUint64(at, v, true),',
  '  (view, at) => view.getBigUint64(at, true),',
  ')',
  '',
)

/** A struct after the structs it holds, else by name. */
function inOrderOfUse(structs: readonly Struct[]): Struct[] {
  const ordered = new Set<Struct>()
  const place = (struct: Struct): void => {
    for (const { type } of struct.fields) {
      const inner = structs.find(({ name }) => name === structName(type))
      if (inner && !ordered.has(inner)) place(inner)
    }
    ordered.add(struct)
  }
  for (const struct of structs) place(struct)
  return [...ordered]
}

function structName(type: FieldType): string | undefined {
  if (type.kind === 'array') return structName(type.of)
  return type.kind === 'struct' ? type.name : undefined
}

function printEnum({ name, values }: Enum): string[] {
  const prefix = sharedPrefix(values.map((value) => value.name))
  const type = pascal(name)
  return [
    `/** \`enum ${name}\`. */`,
    `export const ${type} = {`,
    ...values.map((value) => `  ${value.name.slice(prefix.length)}: ${value.value},`),
    '} as const',
    `export type ${type} = (typeof ${type})[keyof typeof ${type}]`,
    `/** Names of \`enum ${name}\` by number. */`,
    `export const ${camel(name)}Names: ReadonlyMap<number, string> = new Map(`,
    `  Object.entries(${type}).map(([name, value]) => [value, name]),`,
    ')',
    '',
  ]
}

/** What all names begin with, up to an underscore: "FLOW_TO_". A single one's first word. */
function sharedPrefix(names: readonly string[]): string {
  const [first = '', ...rest] = names
  if (rest.length === 0) return first.slice(0, first.indexOf('_') + 1)
  let length = first.length
  while (!names.every((name) => name.startsWith(first.slice(0, length)))) length--
  return first.slice(0, first.lastIndexOf('_', length - 1) + 1)
}

function printStruct({ name, size, fields }: Struct): string[] {
  const kept = fields.filter((field) => !/^pad\d*$/.test(field.name))
  const type = pascal(name)
  return [
    `/** \`struct ${name}\`, ${size} bytes. */`,
    `export interface ${type} {`,
    ...kept.map((field) => `  readonly ${camel(field.name)}: ${tsType(field.type)}`),
    '}',
    `export const ${camel(name)}: Codec<${type}> = defineCodec(`,
    `  ${size},`,
    '  (view, at, v) => {',
    ...fields.map((field) => `    ${kept.includes(field) ? encode(field) : encodePad(field)}`),
    '  },',
    '  (view, at) => ({',
    ...kept.map((field) => `    ${camel(field.name)}: ${decode(field.type, place(field.offset))},`),
    '  }),',
    ')',
    '',
  ]
}

function tsType(type: FieldType): string {
  switch (type.kind) {
    case 'int':
      return type.size === 8 ? 'bigint' : 'number'
    case 'bytes':
      return 'Uint8Array'
    case 'array':
      return `readonly ${tsType(type.of)}[]`
    case 'struct':
      return TEXT_STRUCTS.get(type.name) ?? pascal(type.name)
  }
}

/** A field's place as an expression; the first one is `at` itself. */
function place(offset: number): string {
  return offset === 0 ? 'at' : `at + ${offset}`
}

function encode({ name, offset, type }: Field): string {
  return encodeValue(type, place(offset), `v.${camel(name)}`)
}

function encodeValue(type: FieldType, at: string, value: string): string {
  switch (type.kind) {
    case 'int': {
      const order = type.size === 1 ? '' : `, ${!type.bigEndian}`
      return `view.set${accessor(type)}(${at}, ${value}${order})`
    }
    case 'bytes':
      return `putBytes(view, ${at}, ${type.length}, ${value})`
    case 'struct': {
      const text = TEXT_STRUCTS.get(type.name)
      if (text) return `put${text}(view, ${at}, ${value})`
      return `${camel(type.name)}.encode(view, ${at}, ${value})`
    }
    case 'array': {
      const element = encodeValue(type.of, `${at} + i * ${sizeOf(type.of)}`, 'element')
      return `eachOf(${value}, ${type.length}, (element, i) => ${element})`
    }
  }
}

function encodePad({ offset, type }: Field): string {
  const zero = type.kind === 'int' ? (type.size === 8 ? '0n' : '0') : ''
  if (type.kind === 'int') return encodeValue(type, place(offset), zero)
  return `putZeroes(view, ${place(offset)}, ${sizeOf(type)})`
}

function decode(type: FieldType, at: string): string {
  switch (type.kind) {
    case 'int':
      return `view.get${accessor(type)}(${at}${type.size === 1 ? '' : `, ${!type.bigEndian}`})`
    case 'bytes':
      return `takeBytes(view, ${at}, ${type.length})`
    case 'struct': {
      const text = TEXT_STRUCTS.get(type.name)
      if (text) return `take${text}(view, ${at})`
      return `${camel(type.name)}.decode(view, ${at})`
    }
    case 'array': {
      const element = decode(type.of, `${at} + i * ${sizeOf(type.of)}`)
      return `Array.from({ length: ${type.length} }, (_, i) => ${element})`
    }
  }
}

function accessor(type: { readonly size: number; readonly signed: boolean }): string {
  return `${type.size === 8 ? 'Big' : ''}${type.signed ? 'Int' : 'Uint'}${type.size * 8}`
}

const MAP_TYPES: Readonly<Record<number, string>> = {
  1: 'hash',
  2: 'array',
  5: 'percpu_hash',
  6: 'percpu_array',
  9: 'lru_hash',
  10: 'lru_percpu_hash',
  11: 'lpm_trie',
  12: 'array_of_maps',
  13: 'hash_of_maps',
  14: 'devmap',
  22: 'queue',
  24: 'sk_storage',
  27: 'ringbuf',
}

function printMaps(maps: readonly MapLayout[]): string[] {
  const printed = maps.map((map) => {
    const { key, value } = map
    return [
      `  ${camel(map.name)}: {`,
      `    name: '${map.name}',`,
      `    type: '${MAP_TYPES[map.type] ?? map.type}',`,
      `    maxEntries: ${map.maxEntries},`,
      `    flags: ${map.flags},`,
      ...(key ? [`    key: ${codecName(key, map.name)},`] : []),
      ...(value ? [`    value: ${codecName(value, map.name)},`] : []),
      key && value ? `  } satisfies MapLayout<${tsType(key)}, ${tsType(value)}>,` : '  },',
    ]
  })
  return [
    '/** The maps as the object defines them; the loader may set other sizes. */',
    'export const maps = {',
    ...printed.flat(),
    '} as const',
    '',
  ]
}

function codecName(type: FieldType, where: string): string {
  if (type.kind === 'struct' && !TEXT_STRUCTS.has(type.name)) return camel(type.name)
  if (type.kind === 'int' && !type.signed && !type.bigEndian) return `u${type.size * 8}`
  throw new Error(`Cannot encode map ${where}: its key and value must be structs or numbers`)
}

/** Where globals are in their sections: only the ELF symbols know. */
function printGlobals(globals: readonly Global[], symbols: readonly ElfSymbol[]): string[] {
  const printed = globals.map(({ name, section, type }) => {
    const symbol = symbols.find((s) => s.name === name && s.section === section)
    if (!symbol) throw new Error(`Cannot place global ${name}: no symbol in ${section}`)
    const where = `offset: ${symbol.offset}, size: ${sizeOf(type)}`
    return `  ${camel(name)}: { section: '${section}', ${where} },`
  })
  return [
    '/** Globals, in bytes of their section. */',
    'export const globals = {',
    ...printed,
    '} as const',
    '',
  ]
}

function camel(name: string): string {
  return name.replace(/_+([a-z0-9])/gi, (_, letter: string) => letter.toUpperCase())
}

function pascal(name: string): string {
  const text = camel(name)
  return text.charAt(0).toUpperCase() + text.slice(1)
}
