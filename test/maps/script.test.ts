// The golden scripts of test/script on real maps of the kernel, so that the maps in memory may be
// trusted.
import { createKernelMaps } from '../script/maps.ts'
import { runScripts } from '../script/run.ts'

runScripts(createKernelMaps)
