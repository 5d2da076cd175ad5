/** @file The nodes of a file in an order in which each comes after what it uses: most files have it, some converters' do not. */
import { PhospheneError } from '../../errors.ts';
import type { Node } from '../../ir/graph.ts';

/**
 * The nodes in order; those that are in order already stay where they are. `given` are the names that need no node, and `uses` says
 * what a node needs: its inputs, and what a graph within it takes from around it. Throws `bad-file`
 * for a node without output, a value that two nodes give, one that none gives, and for a cycle.
 */
export function inOrder(
  file: string,
  nodes: readonly Node[],
  given: ReadonlySet<string>,
  uses: (node: Node) => readonly string[] = ({ inputs }) => inputs,
): Node[] {
  const fault = (what: string): PhospheneError => new PhospheneError('bad-file', `${file}: ${what}`, { path: file });
  const giver = new Map<string, number>();
  nodes.forEach((node, at) => {
    if (node.outputs.every((output) => output === '')) throw fault(`${node.op} ${node.name}: it has no output`);
    for (const output of node.outputs) {
      if (output === '') continue;
      if (giver.has(output) || given.has(output)) throw fault(`two of its nodes or tensors give \`${output}\``);
      giver.set(output, at);
    }
  });
  const ordered: Node[] = [];
  const state = new Uint8Array(nodes.length);
  const [OPEN, DONE] = [1, 2] as const;
  // Depth first, with a stack of our own: a chain may be longer than the language's.
  for (let root = 0; root < nodes.length; root++) {
    const stack = [root];
    while (stack.length > 0) {
      const at = stack.at(-1)!;
      if (state[at] === DONE) {
        stack.pop();
        continue;
      }
      const node = nodes[at]!;
      const needed = uses(node).flatMap((input) => {
        if (input === '' || given.has(input)) return [];
        const from = giver.get(input);
        if (from === undefined) throw fault(`nothing gives \`${input}\`, which ${node.op} ${node.name} needs`);
        return state[from] === DONE ? [] : [from];
      });
      if (needed.length === 0) {
        state[at] = DONE;
        ordered.push(node);
        stack.pop();
      } else if (state[at] === OPEN) {
        throw fault(`${node.op} ${node.name}: it needs its own result; the graph has a cycle`);
      } else {
        state[at] = OPEN;
        stack.push(...needed.reverse());
      }
    }
  }
  return ordered;
}
