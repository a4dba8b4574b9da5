// Golden scripts on maps in memory; test/maps runs the same ones on the kernel's.
import { createMemoryMaps } from './maps.ts'
import { runScripts } from './run.ts'

runScripts(createMemoryMaps)
