// Plain JavaScript for any Node: npm runs this with the user's own, before anything is installed.
import { installObstacle, thisMachine } from './obstacle.mjs'

const problem = installObstacle(thisMachine())
if (problem) {
  process.stderr.write(`${problem}\n`)
  process.exit(1)
}
