"""Entity refs: `[kind:][namespace/]name`, as Backstage reads them."""
