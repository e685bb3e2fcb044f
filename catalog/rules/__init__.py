"""What Backstage asks of an entity, rule by rule; catalog.descriptors applies them in its order."""
