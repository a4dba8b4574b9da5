// What people have applied to a lab, and the cluster addresses given out for it; kept in
// objects.json.
import { existsSync, readFileSync } from 'node:fs'
import { type KubeObject, objectKey } from './manifests/read.ts'
import type { PlannedService } from './manifests/services.ts'
import { labPaths } from './paths.ts'
import { writeWhole } from './record.ts'

export interface Applied {
  readonly objects: readonly KubeObject[]
  readonly services: readonly PlannedService[]
}

export function readApplied(lab: string): Applied {
  const path = labPaths(lab).objects
  if (!existsSync(path)) return { objects: [], services: [] }
  return JSON.parse(readFileSync(path, 'utf8')) as Applied
}

export function writeApplied(lab: string, applied: Applied): void {
  writeWhole(labPaths(lab).objects, `${JSON.stringify(applied, null, 1)}\n`)
}

/**
 * Objects after an apply: a newer one replaces an older one of the same kind and name in its
 * place.
 */
export function mergeObjects(
  before: readonly KubeObject[],
  added: readonly KubeObject[],
): KubeObject[] {
  const byKey = new Map(before.map((object) => [objectKey(object), object]))
  for (const object of added) byKey.set(objectKey(object), object)
  return [...byKey.values()]
}

/** Objects after a delete of those named in the manifests. */
export function withoutObjects(
  before: readonly KubeObject[],
  removed: readonly KubeObject[],
): KubeObject[] {
  const gone = new Set(removed.map(objectKey))
  return before.filter((object) => !gone.has(objectKey(object)))
}
