// The agent's CNI half on its real socket and route, over a pretended kernel. Run as a program
// (socket, stateDir and 'hold' as arguments) it can be killed in the middle of an ADD.
import { createServer, type Server } from 'node:http'
import { answerCni } from '../../src/api/cni-route.ts'
import { listenOnSocket } from '../../src/api/socket.ts'
import type { ApiSources } from '../../src/api/sources.ts'
import { cniCallFromHttp } from '../../src/cni/http.ts'
import { Scene, type SceneOptions } from '../support/cni-scene.ts'

export class PretendedAgent {
  readonly scene: Scene
  readonly #server: Server

  private constructor(scene: Scene) {
    this.scene = scene
    const sources = {
      handleCni: (headers, body) => scene.server.handle(cniCallFromHttp(headers, body)),
      observeCni: () => undefined,
    } satisfies Partial<ApiSources>
    this.#server = createServer((request, response) => {
      void answerCni(request, response, sources as unknown as ApiSources)
    })
  }

  static async listen(socket: string, options: SceneOptions): Promise<PretendedAgent> {
    const agent = new PretendedAgent(new Scene(options))
    await listenOnSocket(agent.#server, socket)
    return agent
  }

  async stop(): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve))
    await this.scene.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

if (import.meta.main) {
  const [socket = '', stateDir = '', hold] = process.argv.slice(2)
  const agent = await PretendedAgent.listen(socket, { stateDir })
  if (hold) agent.scene.hold('update')
}
