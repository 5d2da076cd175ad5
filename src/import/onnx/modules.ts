/**
 * @file The PyTorch modules that an ONNX file's nodes come from. PyTorch's default export calls its values `getitem_3` and `add_7`,
 * and keeps beside each node the path of the module that made it, such as `features.12`.
 */
import type { GraphProto, NodeProto } from '../../ir/onnx_pb.ts';

/**
 * By the name of a node's first output, the path of its module. The last node of a module has the module's own path, since that is
 * the module's output; those before it have the path and the name of what they do, such as `features.12/conv2d`.
 */
export function modulePaths({ node }: GraphProto): Map<string, string> {
  const scopes = node.map(scopesOf);
  const last = new Map(scopes.map((scope, i) => [scope?.path, i]));
  return new Map(
    node.flatMap(({ output }, i) => {
      const scope = scopes[i];
      if (!scope || !output[0]) return [];
      return [[output[0], last.get(scope.path) === i ? scope.path : `${scope.path}/${scope.operation}`] as const];
    }),
  );
}

interface Scope {
  readonly path: string;
  readonly operation: string;
}

function scopesOf({ metadataProps }: NodeProto): Scope | undefined {
  const value = (name: string): string | undefined => metadataProps.find(({ key }) => key === name)?.value;
  const list = value('pkg.torch.onnx.name_scopes');
  // Both hold the path from the network itself (an empty name) to the operation.
  const names =
    list === undefined
      ? value('namespace')
          ?.split('/')
          .map((part) => part.split(': ')[0]!)
      : pythonStrings(list);
  if (!names || names.length < 3) return undefined;
  const [path, operation] = names.slice(-2) as [string, string];
  return path === '' ? undefined : { path, operation };
}

/** The strings of a Python list as it prints itself: `['', 'features.0', 'conv2d']`. */
function pythonStrings(list: string): string[] {
  return [...list.matchAll(/'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"/g)].map(
    ([, single, double]) => single ?? double ?? '',
  );
}
