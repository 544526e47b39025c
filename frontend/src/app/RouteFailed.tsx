// When a page cannot be shown: an unknown address, a chunk that did not load, or a defect of ours. Never a stack trace.
import { Button, Group } from '@mantine/core';
import { Link } from 'react-router';
import { Empty } from '@/components/states';

export function RouteFailed() {
  return (
    <Empty
      title="This page could not be shown"
      action={
        <Group>
          <Button onClick={() => location.reload()}>Load it again</Button>
          <Button variant="default" component="a" href="/">
            To the start
          </Button>
        </Group>
      }
    >
      Either a part of the page did not arrive, or there is a mistake of ours in it. Nothing of yours is lost: what you signed is on the chain, and your keys are in this browser.
    </Empty>
  );
}

export function Unknown() {
  return (
    <Empty title="There is nothing at this address" action={<Link to="/datasets">See the datasets</Link>}>
      The link may be old, or a letter is missing.
    </Empty>
  );
}
