package api

// streamRoutes are what is told as it happens.
var streamRoutes []Route
