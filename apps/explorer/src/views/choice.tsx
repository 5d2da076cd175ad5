/** @file A small picture that leads to another state of the page. */
import type { ComponentChildren } from 'preact';
import type { wishFor } from '../pictures.ts';
import { Picture } from './picture.tsx';

interface ChoiceProps {
  readonly to: string;
  readonly name: string;
  readonly wish: ReturnType<typeof wishFor>;
  readonly title?: string | undefined;
  /** In place of the name, for those who hear it. */
  readonly label?: string | undefined;
  /** Whether it is what the page shows. */
  readonly current?: boolean | undefined;
  /** What stands behind the name. */
  readonly children?: ComponentChildren;
}

export function Choice({ to, name, wish, title, label, current = false, children }: ChoiceProps) {
  return (
    <li>
      <a href={to} title={title} aria-label={label} aria-current={current ? 'true' : undefined}>
        <Picture wish={wish} alt="" />
        <span class="number">
          {name} {children}
        </span>
      </a>
    </li>
  );
}
